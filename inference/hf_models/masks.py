"""Makes attention masks for passes whose rows stand at different positions.

The classes of transformers ask for their masks by kind (causal, sliding window, chunks) and assume that all
rows of a pass begin at one position. `ragged` gives each row its own; outside of it masks are the stock ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from transformers.masking_utils import (
    ALL_MASK_ATTENTION_FUNCTIONS,
    AttentionMaskInterface,
    causal_mask_function,
)

_causal: Callable[..., Any] = causal_mask_function
_positions: ContextVar[Tensor | None] = ContextVar("positions", default=None)


@contextmanager
def ragged(positions: Tensor) -> Iterator[None]:
    """In the block, token t of row i stands at `positions[i, t]`."""
    token = _positions.set(positions)
    try:
        yield
    finally:
        _positions.reset(token)


def _allowed(positions: Tensor, kv_length: int, function: Callable[..., Tensor]) -> Tensor:
    """Returns [n, 1, T, S]: whether a token may see the key at each position of its row."""
    device = positions.device
    batch = torch.arange(len(positions), device=device)[:, None, None, None]
    keys = torch.arange(kv_length, device=device)[None, None, None, :]
    may = function(batch, torch.zeros_like(batch), positions[:, None, :, None], keys)
    return may.expand(len(positions), 1, positions.shape[1], kv_length)


def _sees_all_before(positions: Tensor, kv_length: int, function: Callable[..., Tensor]) -> bool:
    """Returns whether sdpa needs no mask: one row from its beginning on, each token sees all before it."""
    rows, length = positions.shape
    return rows == 1 and function is _causal and (length == 1 or length == kv_length)


def _for(kind: str) -> Callable[..., Tensor | None]:
    stock = ALL_MASK_ATTENTION_FUNCTIONS[kind]

    def mask(*args: Any, **kwargs: Any) -> Tensor | None:
        positions = _positions.get()
        if positions is None:
            made: Tensor | None = stock(*args, **kwargs)
            return made
        length, function = kwargs["kv_length"], kwargs.get("mask_function", _causal)
        if (
            kind == "sdpa"
            and kwargs.get("allow_is_causal_skip", True)
            and _sees_all_before(positions, length, function)
        ):
            return None
        may = _allowed(positions, length, function)
        if kind == "sdpa":
            return may
        dtype = kwargs.get("dtype", torch.float32)
        return torch.zeros(may.shape, dtype=dtype, device=may.device).masked_fill_(
            ~may, torch.finfo(dtype).min
        )

    return mask


for _kind in ("sdpa", "eager"):
    AttentionMaskInterface.register(_kind, _for(_kind))
