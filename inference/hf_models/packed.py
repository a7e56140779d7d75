"""Reads tensors of a folder by name, in floats: packed ones (FP8, MXFP4) are unpacked as they are read.

Nothing of a file stays in memory (networks/tensor_reader.py): MXFP4 is read an expert at a time, FP8 some
rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from inference.model_dir.headers import ModelUnusable, Stored
from inference.networks.tensor_reader import Index, TensorReader

BLOCKS, SCALES = "_blocks", "_scales"  # MXFP4: two numbers a byte, and an exponent for each 32 of them
FP8 = ("F8_E4M3", "F8_E5M2")
FP8_BLOCK = (128, 128)  # what DeepSeek and others use
FP8_AT_ONCE = 4 * 2**20  # bytes that are read at once: as floats they take four times as many
FP8_SCALES = ("_scale_inv", "_scale")  # names of an FP8 tensor + this: a factor for each block of it
# What the four bits of MXFP4 stand for: sign, two bits of exponent, one of fraction.
FP4 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0)
EXPONENT_BIAS = 127


def logical(found: Mapping[str, Stored]) -> dict[str, Stored]:
    """Returns the tensors as the network has them: unpacked, and without their factors."""
    tensors: dict[str, Stored] = {}
    for name, one in found.items():
        base = name.removesuffix(BLOCKS)
        if base != name and base + SCALES in found:
            experts, rows, groups, size = _shape_of_fp4(base, one, found[base + SCALES])
            tensors[base] = Stored((experts, groups * size * 2, rows), "BF16")
        elif one.dtype in FP8:
            tensors[name] = Stored(one.shape, "BF16")
        elif not _is_factor(name, found):
            tensors[name] = one
    return tensors


def _is_factor(name: str, found: Mapping[str, Stored]) -> bool:
    if name.removesuffix(SCALES) + BLOCKS in found:
        return True
    return any(
        name.endswith(end) and name.removesuffix(end) in found and found[name.removesuffix(end)].dtype in FP8
        for end in FP8_SCALES
    )


def _shape_of_fp4(name: str, blocks: Stored, scales: Stored) -> tuple[int, int, int, int]:
    """Returns the shape of MXFP4 blocks [experts, out, groups, bytes], each group with its exponent."""
    if len(blocks.shape) != 4 or scales.shape != blocks.shape[:-1] or {blocks.dtype, scales.dtype} != {"U8"}:
        raise ModelUnusable(
            f"{name}: blocks {list(blocks.shape)} of {blocks.dtype} with scales {list(scales.shape)} of "
            f"{scales.dtype} are not MXFP4"
        )
    experts, rows, groups, size = blocks.shape
    return experts, rows, groups, size


class Reader:
    """The tensors of some files, by their logical names."""

    def __init__(self, shards: tuple[Path, ...], block: Sequence[int] = FP8_BLOCK) -> None:
        """`block`: rows and columns of FP8 weights that share a factor, as config.json has them."""
        if len(block) != 2 or not all(type(size) is int and size >= 1 for size in block):
            raise ModelUnusable(f"weight_block_size is {block!r}, not two whole numbers above 0")
        self._files = TensorReader(shards)
        self._block = block

    def is_packed(self, name: str) -> bool:
        return name + BLOCKS in self._files.places or self._factor(name) is not None

    def fill(self, name: str, out: Tensor) -> None:
        """Reads a tensor that is not packed into `out`, converted to its dtype."""
        self._files.fill(name, out)

    def parts(self, name: str, *, whole_matrices: bool = False) -> Iterator[tuple[Index, Tensor]]:
        """Yields a tensor in parts and their places in it: matrices, or some rows of large ones.

        A part is valid until the next one is asked for.
        """
        files, factor = self._files, self._factor(name)
        if name + BLOCKS in files.places:
            yield from self._fp4(name)
            return
        found = self._matrices(name) if whole_matrices else files.parts(name, FP8_AT_ONCE if factor else 0)
        if factor is None:
            yield from found
            return
        factors = Factors.of(name, files.shape(name), files.whole(factor), self._block)
        for index, part in found:
            yield index, factors.times(part, index)

    def _fp4(self, name: str) -> Iterator[tuple[Index, Tensor]]:
        files, blocks, scales = self._files, name + BLOCKS, name + SCALES
        experts, *_ = _shape_of_fp4(name, files.places[blocks].stored, files.places[scales].stored)
        for e in range(experts):
            yield (e,), unpacked_fp4(files.whole(blocks, e), files.whole(scales, e))

    def _matrices(self, name: str) -> Iterator[tuple[Index, Tensor]]:
        files, shape = self._files, self._files.shape(name)
        if len(shape) == 3:
            for e in range(shape[0]):
                yield (e, slice(0, shape[1])), files.whole(name, e)
        else:
            yield (slice(0, shape[0]),), files.whole(name)

    def _factor(self, name: str) -> str | None:
        """Returns the name of the factors of an FP8 tensor; None where it has none."""
        places = self._files.places
        if name not in places or places[name].stored.dtype not in FP8:
            return None
        return next((name + end for end in FP8_SCALES if name + end in places), None)


def unpacked_fp4(blocks: Tensor, scales: Tensor) -> Tensor:
    """Unpacks one expert: blocks [out, G, 16] and scales [out, G] of bytes -> bfloat16 [in, out]."""
    table = torch.tensor(FP4, dtype=torch.bfloat16)
    pairs = torch.stack([blocks & 15, blocks >> 4], -1).flatten(-2)  # [out, G, 32]: the low half is first
    exponents = (scales.int() - EXPONENT_BIAS)[..., None]
    return torch.ldexp(table[pairs.int()], exponents).flatten(-2).bfloat16().T


class Factors(NamedTuple):
    """The factors of an FP8 tensor [out, in] or [experts, out, in]: `grid` has one for each block."""

    grid: Tensor  # float32, with as many dimensions as the tensor
    down: Tensor  # for each row of a matrix, that of the grid
    across: Tensor  # for each column, that of the grid

    @classmethod
    def of(cls, name: str, shape: tuple[int, ...], factors: Tensor, block: Sequence[int]) -> Factors:
        """One factor serves a whole row, matrix or tensor where there are no more. The last blocks may be
        smaller. Raises ModelUnusable for any other number of factors."""
        *outer, rows, columns = shape if len(shape) in (2, 3) else (0, 0, 0, 0)
        each = bool(outer) and factors.shape[:1] == (outer[0],)
        given = tuple(factors.shape[1:] if each else factors.shape)
        if len(given) != 2 and math.prod(given) == max(given, default=1):
            given = (math.prod(given), 1)
        if len(outer) > 1 or len(given) != 2 or not all(map(_fits, given, (rows, columns), block)):
            raise ModelUnusable(
                f"{name} {list(shape)} has factors {list(factors.shape)}, which are not those of its blocks "
                f"of {block[0]} rows and {block[1]} columns"
            )
        grid = factors.float().reshape(*(factors.shape[:1] if each else (1,) * len(outer)), *given)
        down, across = map(_places_in_grid, given, (rows, columns), block)
        return cls(grid.expand(*outer, *given), down, across)

    def times(self, values: Tensor, index: Index) -> Tensor:
        """Returns a part of the tensor, which is rows of a matrix or whole matrices, in bfloat16."""
        *matrices, rows = index if values.dim() == 2 else (*index, slice(None))
        spread = self.grid[tuple(matrices)].index_select(-2, self.down[rows]).index_select(-1, self.across)
        return values.float().mul_(spread).bfloat16()


def unpacked_fp8(values: Tensor, factors: Tensor, block: Sequence[int] = FP8_BLOCK) -> Tensor:
    """Multiplies each block of an FP8 matrix [out, in] with its factor -> bfloat16."""
    return Factors.of("a matrix", tuple(values.shape), factors, block).times(values, (slice(None),))


def _fits(count: int, size: int, block: int) -> bool:
    return count in {1, size, -(-size // block)}


def _places_in_grid(count: int, size: int, block: int) -> Tensor:
    """Returns, for each row or column, in which block it is."""
    return torch.arange(size) // {1: max(1, size), size: 1}.get(count, block)
