"""Matrices of 8-bit integers: a quarter of the memory of float32; decoding mostly reads weights.

Storage: `X.weight` int8 [out, in] and `X.weight_scale` [out, G], where G divides `in` and column g belongs to
the g-th of G equal, contiguous blocks of inputs. A weight is its number times its scale, not rounded.

Two ways to multiply, both reading the numbers where they lie (a memory map stays one):

* in tiles: a piece of the matrix is turned into floats that fit the processor's cache, and multiplied. Exact
  to the last bits of float32. On one core it costs about what a float32 matrix costs.
* torch's own kernel for a few rows at a time (decoding) on a CPU: 2.4 times as fast as bfloat16 on one AVX2
  core. It takes bfloat16 activations, and one block of inputs (G = 1) only.

A matrix that may use the kernel rounds its inputs and results to bfloat16 in tiles as well, so that a prompt
read in one piece and the same tokens one by one differ only by the order of additions. `exact` forbids it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

TILE = {"cpu": 2**19, "cuda": 2**26}  # weights turned into floats at once: 2 MB stay in a core's cache
# From here on the tiles are faster than the kernel, which works through four rows at a time.
FEW = 16
# The kernel reads whole vectors and past the end of a row that is no multiple of them; with AVX-512 it faults
# on matrices that do not begin at one, as those of a mapped file may.
VECTOR = 16


@dataclass(frozen=True, slots=True)
class Int8Matrix:
    """An int8 matrix with its scales; `linear(x, matrix)` is x times its transpose."""

    values: Tensor  # [out, in], int8
    scale: Tensor  # [out, G], bfloat16 or float32
    exact: bool = False

    @property
    def groups(self) -> int:
        return self.scale.shape[1]

    @property
    def rounds(self) -> bool:
        """Returns whether inputs and results are rounded to bfloat16, so that torch's kernel may be used."""
        return (
            not self.exact
            and self.groups == 1
            and self.scale.dtype == torch.bfloat16
            and self.values.shape[1] % VECTOR == 0
            and self.values.device.type == "cpu"
        )

    def dequantised(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Returns the matrix as floats: [out, in]."""
        return _floats(self.values, self.scale, torch.empty_like(self.values, dtype=torch.float32)).to(dtype)

    def times(self, x: Tensor) -> Tensor:
        """Multiplies: [n, in] -> [n, out], in the dtype of x."""
        if not self.rounds:
            return self._in_tiles(x)
        rounded = x.bfloat16()
        if x.shape[0] < FEW and self.values.data_ptr() % VECTOR == 0:
            few = torch._weight_int8pack_mm(rounded.contiguous(), self.values, self.scale.view(-1))
            return few.to(x.dtype)
        return self._in_tiles(rounded.float(), rounded=True).to(x.dtype)

    def _in_tiles(self, x: Tensor, *, rounded: bool = False) -> Tensor:
        out_features, in_features = self.values.shape
        # On a GPU in the dtype of x, for its tensor cores; on a CPU in float32, which is faster there.
        dtype = x.dtype if x.is_cuda else torch.float32
        rows = max(1, TILE[x.device.type] // in_features)
        buffer = torch.empty(min(rows, out_features), in_features, dtype=dtype, device=x.device)
        out = torch.empty(x.shape[0], out_features, dtype=dtype, device=x.device)
        given = x.to(dtype)
        for start in range(0, out_features, rows):
            values = self.values[start : start + rows]
            tile = _floats(values, self.scale[start : start + rows], buffer[: len(values)])
            part = F.linear(given, tile)
            out[:, start : start + rows] = part.bfloat16() if rounded else part
        return out.to(x.dtype)


def _floats(values: Tensor, scale: Tensor, out: Tensor) -> Tensor:
    """Writes integers times scales into `out`."""
    out.copy_(values)
    out.view(len(values), scale.shape[1], -1).mul_(scale.unsqueeze(-1))
    return out


Weight = Tensor | Int8Matrix


def linear(x: Tensor, weight: Weight) -> Tensor:
    """Multiplies: [n, in] -> [n, out], for either kind of weight."""
    return weight.times(x) if isinstance(weight, Int8Matrix) else F.linear(x, weight)


def stack(weights: Sequence[Weight]) -> Weight:
    """Stacks matrices of the same inputs: [out1 + out2 + ..., in]. Copies."""
    matrices = [weight for weight in weights if isinstance(weight, Int8Matrix)]
    if not matrices:
        return torch.cat([weight for weight in weights if isinstance(weight, Tensor)])
    if len(matrices) != len(weights):
        raise ValueError("int8 matrices and others cannot be one matrix")
    groups = max(matrix.groups for matrix in matrices)
    if any(groups % matrix.groups for matrix in matrices):
        raise ValueError(f"scales of {[matrix.groups for matrix in matrices]} blocks do not fit together")
    return replace(
        matrices[0],
        values=torch.cat([matrix.values for matrix in matrices]),
        scale=torch.cat([m.scale.repeat_interleave(groups // m.groups, 1) for m in matrices]),
    )


def quantise(matrix: Tensor, groups: int = 1) -> tuple[Tensor, Tensor]:
    """Returns the nearest int8 values [..., out, in] and bfloat16 scales [..., out, groups] of a matrix.

    Symmetric: the scale is the largest absolute weight of its block over 127. (Clipping the largest ones, a
    gain at 4 bits, made the squared error of the demo model's weights larger at every share tried.)
    """
    *rows, inputs = matrix.shape
    if groups < 1 or inputs % groups:
        raise ValueError(f"{inputs} inputs do not make {groups} equal blocks")
    blocks = matrix.float().reshape(*rows, groups, -1)  # [..., out, G, in / G]
    largest = blocks.abs().amax(-1).clamp_min(1e-30)  # [..., out, G]
    # Rounded before the numbers are: the stored scale is then the one they were chosen for.
    scale = (largest / 127).bfloat16()
    values = (blocks / scale.float().unsqueeze(-1)).round_().clamp_(-127, 127)
    return values.to(torch.int8).flatten(-2), scale
