"""Reads tensors of safetensors files into their place, a few megabytes at a time.

A mapped file counts as memory of the process, page for page, until the map is closed: a matrix that is
converted would be there twice. A file that is read leaves nothing but a buffer, and not even that where the
numbers stay as they are: these go straight there.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from inference.model_dir.headers import FileState, ModelUnusable, read_places

PIECE = 16 * 2**20  # bytes read at once
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E8M0": torch.float8_e8m0fnu,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
Index = tuple[int | slice, ...]  # of a part of a tensor; () is all of it


class Piece(NamedTuple):
    """A part of a tensor whose numbers lie together in the file."""

    at: Index
    start: int  # in the file
    shape: tuple[int, ...]  # of out[at]


class TensorReader:
    """Reads the tensors of some files by name. Calls from one thread at a time."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.places = read_places(tuple(files))
        self._buffer = torch.empty(0, dtype=torch.uint8)

    def dtype(self, name: str) -> torch.dtype:
        """Returns the dtype that a tensor has in its file, or raises ModelUnusable."""
        stored = self.places[name].stored
        if stored.dtype not in DTYPES:
            raise ModelUnusable(f"{name} is {stored.dtype}, which is not read here")
        return DTYPES[stored.dtype]

    def shape(self, name: str) -> tuple[int, ...]:
        return self.places[name].stored.shape

    def whole(self, name: str, at: int | None = None) -> Tensor:
        """Returns a tensor, or the part `at` of its first dimension, in memory of its own."""
        shape = self.shape(name)
        if at is not None and not 0 <= at < next(iter(shape), 0):
            raise ModelUnusable(f"{name} has the shape {list(shape)}, so there is no part {at} of it")
        out = torch.empty(shape if at is None else shape[1:], dtype=self.dtype(name))
        with self._opened(name) as file:
            _read(file, self.places[name].start + (at or 0) * out.nbytes, out)
        return out

    def fill(self, name: str, out: Tensor) -> None:
        """Reads a tensor into `out`, which has its shape, and converts it to the dtype of `out`."""
        stays = out.dtype == self.dtype(name) and out.device.type == "cpu"
        with self._opened(name) as file:
            for piece in self._pieces(name):
                place = out[piece.at]
                if stays and place.is_contiguous():
                    _read(file, piece.start, place)
                else:
                    place.copy_(self._buffered(file, name, piece))

    def parts(self, name: str, at_once: int = 0) -> Iterator[tuple[Index, Tensor]]:
        """Yields a tensor in parts: matrices, or rows of a larger one, in PIECE or `at_once` bytes.

        A part is valid until the next one is asked for.
        """
        with self._opened(name) as file:
            for piece in self._pieces(name, at_once):
                yield piece.at, self._buffered(file, name, piece)

    def _pieces(self, name: str, at_once: int = 0) -> Iterator[Piece]:
        """Yields some matrices, or some rows of one that is larger; all of a tensor without rows."""
        shape, start, size = self.shape(name), self.places[name].start, self.dtype(name).itemsize
        if len(shape) not in (2, 3):
            yield Piece((), start, shape)
            return
        step, most = math.prod(shape[1:]) * size, at_once or PIECE
        if len(shape) == 2 or step <= most:
            yield from _joined(start, shape, step, most)
            return
        for matrix in range(shape[0]):
            for piece in _joined(start + matrix * step, shape[1:], shape[2] * size, most):
                yield piece._replace(at=(matrix, *piece.at))

    def _buffered(self, file: FileIO, name: str, piece: Piece) -> Tensor:
        dtype = self.dtype(name)
        size = torch.Size(piece.shape).numel() * dtype.itemsize
        if size > self._buffer.numel():
            self._buffer = torch.empty(size, dtype=torch.uint8)
        part = self._buffer[:size].view(dtype).view(piece.shape)
        _read(file, piece.start, part)
        return part

    def _opened(self, name: str) -> FileIO:
        """Opens the file of a tensor again, which must be the one whose header was read."""
        place = self.places[name]
        file = FileIO(place.file)
        if FileState.of(file.fileno()) != place.state:
            file.close()
            raise ModelUnusable(f"{place.file} was replaced while it was read: start again once it is whole")
        return file


def _joined(start: int, shape: tuple[int, ...], step: int, most: int) -> Iterator[Piece]:
    """Yields parts of the first dimension, as many at once as `most` bytes hold; each has `step` bytes."""
    count = max(1, most // max(1, step))
    for first in range(0, shape[0], count):
        last = min(first + count, shape[0])
        yield Piece((slice(first, last),), start + first * step, (last - first, *shape[1:]))


def _read(file: FileIO, start: int, out: Tensor) -> None:
    """Fills a contiguous tensor with the bytes of a file from `start` on."""
    left = out.view(-1).view(torch.uint8).numpy().data
    file.seek(start)
    while left:
        count = file.readinto(left)
        if not count:
            raise ModelUnusable(f"{file.name} has become shorter while it was read")
        left = left[count:]
