"""Which safetensors files hold a folder's weights, and what their headers promise. Standard library alone.

Only headers are read, so a folder of 600 GB is looked at in moments.
"""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path
from typing import Any, NamedTuple

BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
LONGEST_HEADER = 100_000_000  # safetensors' own limit
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"


class ModelUnusable(ValueError):
    """A model folder that cannot be served; the message is one line for the operator."""


class Stored(NamedTuple):
    """One tensor as a header describes it."""

    shape: tuple[int, ...]
    dtype: str  # a key of BYTES

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return self.numbers * BYTES[self.dtype]


def json_object(file: Path) -> dict[str, Any]:
    """The JSON object in a file of a model folder; anything else is ModelUnusable."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelUnusable(f"no readable {file.name} in {file.parent}") from error
    except ValueError as error:
        raise ModelUnusable(f"{file.name} in {file.parent} is not JSON (half-written?)") from error
    if not isinstance(value, dict):
        raise ModelUnusable(f"{file.name} in {file.parent} is not a JSON object")
    return value


def weight_files(path: Path) -> tuple[Path, ...]:
    """The safetensors files of a folder; names in an index stay inside it."""
    if (path / WHOLE).is_file():
        return (path / WHOLE,)
    if not (path / INDEX).is_file():
        raise ModelUnusable(f"no {WHOLE} in {path}")
    places = json_object(path / INDEX).get("weight_map")
    names = sorted({str(name) for name in places.values()}) if isinstance(places, dict) else []
    if not names or any(name != Path(name).name or not name.endswith(".safetensors") for name in names):
        raise ModelUnusable(f"{INDEX} in {path} names no weight files of this folder")
    missing = [name for name in names if not (path / name).is_file()]
    if missing:
        raise ModelUnusable(
            f"{len(missing)} of {len(names)} weight files are missing in {path}: {missing[0]}"
        )
    return tuple(path / name for name in names)


def read_headers(files: tuple[Path, ...]) -> dict[str, Stored]:
    """Every tensor of these files by name."""
    found: dict[str, Stored] = {}
    for file in files:
        for name, stored in _header(file).items():
            if name in found:
                raise ModelUnusable(f"{name} lies in two weight files of {file.parent}")
            found[name] = stored
    return found


def _header(file: Path) -> dict[str, Stored]:
    """Every tensor of one file; its length must be what its header says."""
    size = file.stat().st_size
    broken = f"{file.name} in {file.parent} is damaged or half-written"
    try:
        with file.open("rb") as data:
            (length,) = struct.unpack("<Q", data.read(8))
            if length > min(size - 8, LONGEST_HEADER):
                raise ModelUnusable(f"{broken}: its header is longer than the file")
            entries = json.loads(data.read(length))
        entries.pop("__metadata__", None)
        found, end = {}, 0
        for name, entry in entries.items():
            stored = Stored(tuple(int(n) for n in entry["shape"]), str(entry["dtype"]))
            first, last = entry["data_offsets"]
            if last - first != stored.bytes:
                raise ModelUnusable(
                    f"{broken}: {name} has {last - first} bytes for shape {list(stored.shape)}"
                )
            found[name], end = stored, max(end, last)
    except OSError as error:
        raise ModelUnusable(f"{file.name} in {file.parent} cannot be read: {error.strerror}") from error
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ModelUnusable):
            raise
        raise ModelUnusable(f"{broken}: its header cannot be read") from error
    if 8 + length + end != size:
        raise ModelUnusable(f"{broken}: {size:,} bytes, its header promises {8 + length + end:,}")
    return found
