"""Converts arrays of the release into the bytes of a tensor, piece by piece in their final order.

Matrices arrive as [in, out] and leave as [out, in]. Values: int8 stays as it is; float32 is int8 * scale,
which is exact there (8 bits by 8 bits); bfloat16 is that product rounded once, ties to even. At any time
there is one matrix in memory (one expert, not the whole tensor) and a few pieces of `PIECE` bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.xai_import.checkpoint import OpenFile
from inference.xai_import.layout import STORED_BYTES, Target
from inference.xai_import.unpickle import NotTheRelease

PIECE = 4 * 2**20  # bytes, roughly
STRIP = 256  # inputs turned over at once, within the second-level cache: 10 x the speed of the plain copy
ALIGNED = 128  # pieces have a multiple of so many rows

Floats = NDArray[np.float32]


def pieces(target: Target, sources: Sequence[OpenFile]) -> Iterator[NDArray[Any]]:
    """Yields the tensor's bytes as contiguous arrays, in order. Raises NotTheRelease for NaN and infinity."""
    if target.role == "copied":
        yield from _copied(sources[0])
        return
    if target.role == "turned":
        weights: Floats = np.empty(sources[0].file.shape, np.float32)
        sources[0].read_into(weights, 0, 0)
        yield np.ascontiguousarray(_finite(weights, sources[0]).T)
        return
    matrix: NDArray[np.int8] = np.empty(sources[0].file.shape[-2:], np.int8)  # for one after the other
    for expert in range(math.prod(target.shape[:-2])):
        for source in sources:
            if target.role == "scales":
                yield np.ascontiguousarray(_scales(source, expert).T)
            else:
                yield from _matrix(source, expert, target.stored, matrix)


def _copied(source: OpenFile) -> Iterator[Floats]:
    length = source.arrays[0].length
    for start in range(0, length, PIECE):
        piece: Floats = np.empty(min(PIECE, length - start) // 4, np.float32)
        source.read_into(piece, 0, start)
        yield _finite(piece, source)


def _matrix(source: OpenFile, expert: int, stored: str, matrix: NDArray[np.int8]) -> Iterator[NDArray[Any]]:
    """Yields one matrix transposed, as I8, F32 or BF16; pieces are whole rows [some of out, in]."""
    inputs, out = matrix.shape
    source.read_into(matrix, 0, expert * matrix.nbytes)
    source.expect(0, (expert + 1) * matrix.nbytes, matrix.nbytes)
    scales = widened(_scales(source, expert)) if stored != "I8" else None  # [G, out]
    rows = max(1, PIECE // (inputs * STORED_BYTES[stored] * ALIGNED)) * ALIGNED
    for first in range(0, out, rows):
        piece = turned(matrix[:, first : first + rows])
        if scales is None:
            yield piece
            continue
        product = multiplied(piece, scales[:, first : first + rows])
        yield product if stored == "F32" else rounded(product)


def _scales(source: OpenFile, expert: int) -> NDArray[np.uint16]:
    """Returns the scales of one matrix, [G, out], as the bits of bfloat16."""
    scales: NDArray[np.uint16] = np.empty((source.file.groups, source.file.shape[-1]), np.uint16)
    source.read_into(scales, 1, expert * scales.nbytes)
    _finite(widened(scales), source)
    return scales


def turned(matrix: NDArray[np.int8]) -> NDArray[np.int8]:
    """Transposes [in, out] -> [out, in] in strips: a plain copy would miss the cache at every byte."""
    inputs, out = matrix.shape
    found: NDArray[np.int8] = np.empty((out, inputs), np.int8)
    for first in range(0, inputs, STRIP):
        strip = matrix[first : first + STRIP].copy()
        found[:, first : first + STRIP] = strip.T
    return found


def multiplied(weights: NDArray[np.int8], scales: Floats) -> Floats:
    """Multiplies weights [out, in] by scales [G, out], one per block of in/G inputs: float32 [out, in]."""
    out, inputs = weights.shape
    found: Floats = np.empty((out, inputs), np.float32)
    blocks = (out, scales.shape[0], -1)
    np.multiply(weights.reshape(blocks), scales.T[:, :, None], out=found.reshape(blocks))
    return found


def widened(bits: NDArray[np.uint16]) -> Floats:
    """Converts bfloat16 to float32, exactly: it is the upper half."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def rounded(values: Floats) -> NDArray[np.uint16]:
    """Rounds finite float32 to the bits of bfloat16: nearest, ties to even. Overwrites its argument."""
    bits = values.view(np.uint32)
    odd = (bits >> 16) & 1
    bits += odd
    bits += 0x7FFF
    bits >>= 16
    return bits.astype(np.uint16)


def _finite(values: Floats, source: OpenFile) -> Floats:
    if not np.isfinite(values).all():
        raise NotTheRelease(f"{source.file.name} holds a value that is no finite number")
    return values
