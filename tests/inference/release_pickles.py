"""Writes the release's layout, file by file: honest ones for tests and the benchmark, and every lie wanted.

The pickles are put together opcode by opcode, so that a test can change any one of them. Without changes they
hold what xAI's do (tests compare them with numpy's own, and with the files in tests/data/grok1/ckpt-0).
"""

from __future__ import annotations

import functools
import json
import math
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from inference.xai_import.constants import Sizes
from inference.xai_import.layout import SourceFile, source_files
from inference.xai_import.unpickle import ITEM_BYTES

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "grok1"  # a small release, and what others made of it
CKPT, CONFIG = DATA / "ckpt-0", DATA / "xai_config.json"
CONSTANTS: dict[str, Any] = json.loads(CONFIG.read_text())
ROW = 2**22  # random numbers made at once


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value.encode())]) + value.encode() + b"\x94"


def name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93\x94"


def number(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + bytes([value])
    return b"M" + struct.pack("<H", value) if 0 <= value < 65536 else b"J" + struct.pack("<i", value)


def many(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t\x94"


RECONSTRUCT = name("numpy.core.multiarray", "_reconstruct")
NDARRAY = name("numpy", "ndarray")
FALSE, TRUE, NONE = b"\x89", b"\x88", b"N"


def dtype(
    kind: str, order: str | None = None, state: bytes | None = None, code: bytes | None = None
) -> bytes:
    """numpy.dtype(code, False, True) and its state."""
    if code is None:
        code = name("ml_dtypes", "bfloat16") if kind == "bf16" else text(kind)
    order = order or ("|" if kind == "i1" else "<")
    ends = (2, 2, 80) if kind == "bf16" else (-1, -1, 0)
    state = state or many(number(3), text(order), NONE, NONE, NONE, *(number(end) for end in ends))
    return name("numpy", "dtype") + code + FALSE + TRUE + b"\x87\x94R\x94" + state + b"b"


def payload(length: int) -> bytes:
    """The opcode before so many bytes of data."""
    if length < 256:
        return b"C" + bytes([length])
    return b"B" + struct.pack("<I", length)


def array(
    kind: str,
    shape: tuple[int, ...],
    data: bytes | None = None,
    *,
    begin: bytes = RECONSTRUCT,
    of: bytes | None = None,
    sides: bytes | None = None,
    order: bytes = FALSE,
    version: bytes = b"K\x01",
    opcode: bytes | None = None,
) -> bytes:
    """A whole array; `data` None leaves the opcodes that follow the data to `AFTER`."""
    length = math.prod(shape) * {"f4": 4, "i1": 1, "bf16": 2}.get(kind, 8)
    head = begin + NDARRAY + many(number(0)) + b"C\x01b\x94" + b"\x87\x94R\x94"
    sides = sides or many(*(number(side) for side in shape))
    opcode = payload(length) if opcode is None else opcode
    head += b"(" + version + sides + (of or dtype(kind)) + order + opcode
    return head if data is None else head + data + AFTER


AFTER = b"\x94t\x94b"  # the data remembered, the state's tuple, BUILD
QUANTIZED = name("__main__", "QuantizedWeight8bit") + b")\x81\x94"


def quantized(weight: bytes, scales: bytes, begin: bytes = QUANTIZED) -> bytes:
    return begin + b"}\x94(" + text("weight") + weight + text("scales") + scales + b"ub"


def whole(body: bytes) -> bytes:
    return b"\x80\x04" + body + b"."


def write_release(folder: Path, constants: dict[str, Any], *, holes: bool = False) -> Path:
    """A release of any size, `ckpt-0` inside a folder; returns it. With holes it takes no disk."""
    inside = folder / "ckpt-0"
    inside.mkdir(parents=True)
    for file in source_files(Sizes.of(constants)):
        with (inside / file.name).open("xb") as out:
            _write(out, file, holes)
    return inside


def _write(out: BinaryIO, file: SourceFile, holes: bool) -> None:
    out.write(b"\x80\x04")
    if file.groups:
        out.write(QUANTIZED + b"}\x94(")
    for part, (kind, shape) in zip(("weight", "scales"), file.arrays, strict=False):
        out.write((text(part) if file.groups else b"") + array(kind, shape))
        left = math.prod(shape) * ITEM_BYTES[kind]
        if holes:
            out.seek(left, os.SEEK_CUR)
            left = 0
        while left:
            left -= out.write(_numbers(kind)[:left])
        out.write(AFTER)
    out.write(b"ub." if file.groups else b".")


@functools.cache
def _numbers(kind: str) -> bytes:
    """ROW items: any integers, and numbers that a scale or a norm could be. Large files repeat them."""
    random = np.random.default_rng(0)
    if kind == "i1":
        return random.integers(-127, 128, ROW, np.int8).tobytes()
    values = random.random(ROW, np.float32) * 0.02 + 0.001
    return (values if kind == "f4" else (values.view(np.uint32) >> 16).astype(np.uint16)).tobytes()
