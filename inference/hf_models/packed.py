"""Reads tensors of a folder by name, in floats: packed ones (FP8, MXFP4) are unpacked as they are read.

Nothing of a file stays in memory (networks/tensor_reader.py); packed experts are read one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from inference.model_dir.headers import Stored
from inference.networks.tensor_reader import Index, TensorReader

BLOCKS, SCALES = "_blocks", "_scales"  # MXFP4: two numbers a byte, and an exponent for each 32 of them
FP8 = ("F8_E4M3", "F8_E5M2")
FP8_BLOCK = (128, 128)  # what DeepSeek and others use
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
            experts, rows, groups, size = one.shape
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


class Reader:
    """The tensors of some files, by their logical names."""

    def __init__(self, shards: tuple[Path, ...], block: Sequence[int] = FP8_BLOCK) -> None:
        """`block`: rows and columns of FP8 weights that share a factor."""
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
            for e in range(files.shape(name + BLOCKS)[0]):
                yield (e,), unpacked_fp4(files.whole(name + BLOCKS, e), files.whole(name + SCALES, e))
        elif factor is not None:
            yield from self._fp8(name, factor)
        elif not whole_matrices:
            yield from files.parts(name)
        elif len(files.shape(name)) == 3:
            for e in range(files.shape(name)[0]):
                yield (e,), files.whole(name, e)
        else:
            yield (), files.whole(name)

    def _fp8(self, name: str, factor: str) -> Iterator[tuple[Index, Tensor]]:
        files, (first, *_) = self._files, self._files.shape(name)
        if len(files.shape(name)) == 2:
            yield (), unpacked_fp8(files.whole(name), files.whole(factor), self._block)
            return
        each = files.shape(factor)[:1] == (first,)
        for e in range(first):
            factors = files.whole(factor, e) if each else files.whole(factor)
            yield (e,), unpacked_fp8(files.whole(name, e), factors, self._block)

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


def unpacked_fp8(values: Tensor, factors: Tensor, block: Sequence[int] = FP8_BLOCK) -> Tensor:
    """Multiplies each block of an FP8 matrix [out, in] with its factor -> bfloat16. The last blocks may be
    smaller. One factor serves a whole row or matrix where there are no more."""
    rows, columns = values.shape
    grid = factors.float().reshape(factors.shape if factors.dim() == 2 else (-1, 1))
    tall, wide = (
        {1: size, size: 1}.get(count, part)
        for size, count, part in zip(values.shape, grid.shape, block, strict=True)
    )
    spread = grid.repeat_interleave(tall, 0)[:rows].repeat_interleave(wide, 1)[:, :columns]
    return (values.float() * spread).bfloat16()
