"""Reads tensors of a folder by name, in floats: packed ones (FP8, MXFP4) are unpacked as they are read.

A tensor is read from a file that is opened for it alone, so that its pages leave the memory with it; one of
several experts is read expert by expert.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from inference.model_dir.headers import Stored, read_headers

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
        self._places = {name: shard for shard in shards for name in read_headers((shard,))}
        self._found = read_headers(shards)
        self._block = block

    def parts(self, name: str) -> Iterator[tuple[int | None, Tensor]]:
        """Yields a tensor as a whole (index None), or one of three dimensions in parts along its first."""
        if name + BLOCKS in self._places:
            for e in range(self._found[name + BLOCKS].shape[0]):
                yield e, unpacked_fp4(self._at(name + BLOCKS, e), self._at(name + SCALES, e))
        elif len(self._found[name].shape) == 3:
            for e in range(self._found[name].shape[0]):
                yield e, self._at(name, e)
        else:
            factor = next((name + end for end in FP8_SCALES if name + end in self._places), None)
            if self._found[name].dtype in FP8 and factor:
                yield None, unpacked_fp8(self._whole(name), self._whole(factor), self._block)
            else:
                yield None, self._whole(name)

    def _whole(self, name: str) -> Tensor:
        with self._opened(name) as tensors:
            whole: Tensor = tensors.get_tensor(name)
        return whole

    def _at(self, name: str, index: int) -> Tensor:
        with self._opened(name) as tensors:
            one: Tensor = tensors.get_slice(name)[index : index + 1]
        return one[0]

    def _opened(self, name: str) -> Any:
        return safe_open(self._places[name], framework="pt", device="cpu")


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
