"""Finds the safetensors files of a folder's weights and reads their headers. Standard library only.

Only headers are read, so a folder of 600 GB is looked at in moments.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from inference.base.lines import english
from inference.base.printable import printable

BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}
# The dtypes of quantised weights and of other formats, which are named in a refusal and never read.
BITS = {
    **{name: 8 * size for name, size in BYTES.items()},
    **dict.fromkeys(("F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U16": 16,
    "U32": 32,
    "U64": 64,
    "C64": 64,
}
LONGEST_HEADER = 100_000_000  # safetensors' own limit
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
LFS = b"version https://git-lfs"  # first bytes of the pointer that Git LFS leaves in place of a large file


class ModelUnusable(ValueError):
    """Raised for a model folder that cannot be served; the message is one printable line for the operator,
    also where it names what stands in a file of the folder."""

    def __init__(self, line: str) -> None:
        super().__init__(printable(line))


class Stored(NamedTuple):
    """A tensor as a header describes it."""

    shape: tuple[int, ...]
    dtype: str  # a key of BITS

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        return (self.numbers * BITS[self.dtype] + 7) // 8


class FileState(NamedTuple):
    """Identifies a file with its content: it differs once the file was replaced by another, or written."""

    device: int
    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, descriptor: int) -> FileState:
        """Returns the state of an open file."""
        found = os.fstat(descriptor)
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


class Place(NamedTuple):
    """The bytes of a tensor in a file: they lie together, in the order of its numbers."""

    file: Path
    start: int
    stored: Stored
    state: FileState  # of the file when its header was read


def first_line(error: BaseException) -> str:
    """Returns what an error says, as one line that is not empty; a line that only introduces is joined."""
    if isinstance(error, KeyError):
        return f"there is no {error}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    short = 2 if lines and lines[0].endswith(":") else 1
    return " ".join(lines[:short]) or type(error).__name__


def json_object(file: Path) -> dict[str, Any]:
    """Returns the JSON object in a file of a model folder; anything else is ModelUnusable."""
    try:
        refuse_pointer(file)
        value = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelUnusable(
            english("no readable %(file)s in %(folder)s", file=file.name, folder=file.parent)
        ) from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, ModelUnusable):
            raise
        raise ModelUnusable(
            english("%(file)s in %(folder)s is not JSON (half-written?)", file=file.name, folder=file.parent)
        ) from error
    if not isinstance(value, dict):
        raise ModelUnusable(
            english("%(file)s in %(folder)s is not a JSON object", file=file.name, folder=file.parent)
        )
    return value


def refuse_pointer(file: Path) -> None:
    """Raises ModelUnusable for a file that Git LFS has not fetched. May raise OSError."""
    with file.open("rb") as data:
        if data.read(len(LFS)) == LFS:
            raise ModelUnusable(
                english(
                    "%(file)s in %(folder)s is a Git LFS pointer, not the file itself: run `git lfs pull` "
                    "there, or download the model again",
                    file=file.name,
                    folder=file.parent,
                )
            )


def weight_files(path: Path) -> tuple[Path, ...]:
    """Returns the safetensors files of a folder; names in an index stay inside it."""
    single = (path / WHOLE,) if (path / WHOLE).is_file() else ()
    if not (path / INDEX).is_file():
        if single:
            return single
        raise ModelUnusable(
            english("no %(file)s in %(folder)s: %(why)s", file=WHOLE, folder=path, why=_other_weights(path))
        )
    weight_map = json_object(path / INDEX).get("weight_map")
    names = sorted({str(name) for name in weight_map.values()}) if isinstance(weight_map, dict) else []
    if not names or any(name != Path(name).name or not name.endswith(".safetensors") for name in names):
        raise ModelUnusable(
            english("%(file)s in %(folder)s names no weight files of this folder", file=INDEX, folder=path)
        )
    missing = [name for name in names if not (path / name).is_file()]
    if single and len(missing) == len(names):
        return single  # only the index was left behind
    if single and names != [WHOLE]:
        raise ModelUnusable(
            english(
                "%(folder)s holds both %(file)s and an index of %(count)s other weight files: one of them "
                "is out of date; remove %(file)s, or %(index)s and its files",
                folder=path,
                file=WHOLE,
                count=len(names),
                index=INDEX,
            )
        )
    if missing:
        raise ModelUnusable(
            english(
                "%(count)s of %(all)s weight files are missing in %(folder)s: %(file)s",
                count=len(missing),
                all=len(names),
                folder=path,
                file=missing[0],
            )
        )
    return tuple(path / name for name in names)


def _other_weights(path: Path) -> str:
    """Returns the end of a refusal, which names the weights found instead."""
    names = sorted(file.name for file in path.iterdir())
    shards = [name for name in names if name.endswith(".safetensors") and not name.startswith("adapter_")]
    if shards:
        return english(
            "%(file)s is there, but no %(index)s that lists it; download the folder again, complete",
            file=shards[0],
            index=INDEX,
        )
    for name in names:
        if name.endswith((".gguf", ".GGUF")):
            return english(
                "%(file)s is GGUF, which is not read here; get the safetensors files of the same model",
                file=name,
            )
        if name.endswith((".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack")):
            return english(
                "%(file)s is not opened here (its format can run code); get the safetensors files", file=name
            )
    return english("get the weights of the model, too")


def read_headers(files: tuple[Path, ...]) -> dict[str, Stored]:
    """Returns every tensor of these files by name."""
    return {name: place.stored for name, place in read_places(files).items()}


def read_places(files: tuple[Path, ...]) -> dict[str, Place]:
    """Returns where every tensor of these files is, by name."""
    found: dict[str, Place] = {}
    for file in files:
        for name, place in _header(file).items():
            if name in found:
                raise ModelUnusable(f"{name} lies in two weight files of {file.parent}")
            found[name] = place
    return found


def _header(file: Path) -> dict[str, Place]:
    """Returns every tensor of one file; its length must be what its header says."""
    broken = english("%(file)s in %(folder)s is damaged or half-written", file=file.name, folder=file.parent)
    try:
        refuse_pointer(file)
        with file.open("rb") as data:
            state = FileState.of(data.fileno())
            (length,) = struct.unpack("<Q", data.read(8))
            if length > min(state.size - 8, LONGEST_HEADER):
                raise ModelUnusable(english("%(broken)s: its header is longer than the file", broken=broken))
            entries = json.loads(data.read(length))
        entries.pop("__metadata__", None)
        found: dict[str, Place] = {}
        for name, entry in entries.items():
            first, stored = _checked(name, entry, file, broken)
            found[name] = Place(file, 8 + length + first, stored, state)
    except OSError as error:
        raise ModelUnusable(f"{file.name} in {file.parent} cannot be read: {error.strerror}") from error
    except (struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, ModelUnusable):
            raise
        raise ModelUnusable(english("%(broken)s: its header cannot be read", broken=broken)) from error
    end = _end_of(found, 8 + length, broken)
    if end != state.size:
        raise ModelUnusable(
            english(
                "%(broken)s: %(size)s bytes, its header promises %(promised)s",
                broken=broken,
                size=f"{state.size:,}",
                promised=f"{end:,}",
            )
        )
    return found


def _checked(name: str, entry: dict[str, Any], file: Path, broken: str) -> tuple[int, Stored]:
    """Returns the first byte of a tensor among the numbers of a file, and the tensor, by its entry there."""
    shape, dtype, (first, last) = entry["shape"], str(entry["dtype"]), entry["data_offsets"]
    if dtype not in BITS:
        raise ModelUnusable(f"{name} in {file} is {dtype}, a dtype unknown here")
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in (*shape, first, last)):
        raise ModelUnusable(f"{broken}: {name} has a size or an offset that is no whole number from 0 on")
    stored = Stored(tuple(shape), dtype)
    if last - first != stored.bytes:
        raise ModelUnusable(f"{broken}: {name} has {last - first} bytes for shape {shape}")
    return first, stored


def _end_of(found: Mapping[str, Place], data: int, broken: str) -> int:
    """Returns where the last tensor ends. Each must begin where the one before it ends, as safetensors
    demands: bytes that two share, or that no tensor has, are a sign of damage."""
    at = data
    for name, place in sorted(found.items(), key=lambda one: (one[1].start, one[1].stored.bytes)):
        if place.start != at:
            raise ModelUnusable(
                f"{broken}: {name} begins at byte {place.start - data} of the numbers, the tensor before it "
                f"ends at {at - data}"
            )
        at += place.stored.bytes
    return at
