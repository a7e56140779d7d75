"""Rotary positions, the tables that model.py and step.py share."""

from __future__ import annotations

import torch
from torch import Tensor


def rope_tables(positions: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Returns cos and sin of each position's rotation: [..., D], float32; both halves have equal angles."""
    steps = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float32)
    angles = positions[..., None].float() * (1.0 / theta ** (steps / head_dim))  # [..., D/2]
    angles = torch.cat((angles, angles), dim=-1)  # [..., D]
    return angles.cos(), angles.sin()
