"""Loads the compiled step, if it fits this machine, through ctypes (which releases the GIL in calls)."""

from __future__ import annotations

import ctypes
import hashlib
import json
from ctypes import POINTER, c_float, c_int, c_int32, c_void_p
from functools import cache
from pathlib import Path

from inference import settings
from inference.native.build import OBJECT, RECORD, NotBuilt, cpu_flags, source_hash

ABI = 2


class Sizes(ctypes.Structure):
    """The struct `Sizes` of step.cpp."""

    _fields_ = (
        ("vocab", c_int32),
        ("hidden", c_int32),
        ("inner", c_int32),
        ("layers", c_int32),
        ("heads", c_int32),
        ("kv_heads", c_int32),
        ("head", c_int32),
        ("experts", c_int32),
        ("chosen", c_int32),
        ("rows", c_int32),
        ("context", c_int32),
        ("pad", c_int32),
        ("threads", c_int32),
        ("dot8", c_int32),
        ("embedding_multiplier", c_float),
        ("output_multiplier", c_float),
        ("attention_multiplier", c_float),
        ("cap", c_float),
        ("eps", c_float),
    )


def library() -> ctypes.CDLL:
    """Returns the functions; raises NotBuilt with the reason for which torch has to be used."""
    if not settings.NATIVE:
        raise NotBuilt("GROKWEB_NATIVE=0 asks for torch")
    return _open(OBJECT, RECORD)


@cache
def _open(path: Path, record_path: Path) -> ctypes.CDLL:
    try:
        record = json.loads(record_path.read_text())
        content = path.read_bytes()
    except (OSError, ValueError) as error:
        raise NotBuilt("it was not built: `make install` does") from error
    if record.get("source") != source_hash():
        raise NotBuilt("it was built from another source: `make install` builds it again")
    if record.get("object") != hashlib.sha256(content).hexdigest():
        raise NotBuilt("the object is not the one that was recorded: `make install` builds it again")
    missing = set(record.get("flags", ["?"])) - cpu_flags()
    if missing:
        raise NotBuilt(f"it was built for a processor with {', '.join(sorted(missing))}")
    opened = ctypes.CDLL(str(path))
    if opened.gw_abi() != ABI:
        raise NotBuilt("the object has another interface")
    return _declare(opened)


def _declare(opened: ctypes.CDLL) -> ctypes.CDLL:
    ints, floats = POINTER(c_int32), POINTER(c_float)
    opened.gw_open.argtypes, opened.gw_open.restype = [POINTER(Sizes)], c_void_p
    opened.gw_close.argtypes, opened.gw_close.restype = [c_void_p], None
    opened.gw_matrix.argtypes = [c_void_p, c_int, c_int, c_int, c_int, c_void_p, c_void_p, c_int]
    opened.gw_vector.argtypes = [c_void_p, c_int, c_int, c_void_p]
    opened.gw_step.argtypes = [c_void_p, c_int, ints, ints, ints, ints, c_int, ints, floats]
    return opened


def build_id() -> str:
    """Returns eight hex digits of the object in use: two builds may round differently."""
    return str(json.loads(RECORD.read_text())["object"])[:8]
