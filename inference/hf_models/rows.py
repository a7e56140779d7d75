"""The key-value cache of all rows for the classes of transformers: preallocated, rows at any positions."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache


class Rows(Cache):
    """Keys and values of all rows, preallocated. Where the next pass writes and reads is set by `turn_to`.

    A layer stores whatever shapes its class caches: heads of keys and values, or the compressed latents of
    DeepSeek's attention.
    """

    def __init__(self, rows: int, context: int) -> None:
        self.layers = []  # transformers' own bookkeeping: an unknown layer is one that sees everything
        self.rows, self.context = rows, context
        self.stored: dict[int, tuple[Tensor, Tensor]] = {}  # a layer: keys and values [rows, context, K, D]

    @property
    def nbytes(self) -> int:
        return sum(one.nbytes for pair in self.stored.values() for one in pair)

    def turn_to(self, rows: list[int], positions: Tensor, longest: int) -> None:
        """The next pass feeds `rows` (n) at `positions` [n, T] and reads their first `longest` keys."""
        self.index = torch.tensor(rows, device=positions.device)
        self.positions, self.longest = positions, longest
        neighbours = rows == list(range(rows[0], rows[0] + len(rows)))
        self.span = slice(rows[0], rows[0] + len(rows)) if neighbours else None  # a view is enough

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """Stores this pass' [n, K, T, D]; returns all keys or values of these rows, [n, K, longest, D]."""
        new = (key_states, value_states)
        if layer_idx not in self.stored:
            self.stored[layer_idx] = tuple(  # type: ignore[assignment]
                one.new_zeros(self.rows, self.context, one.shape[1], one.shape[3]) for one in new
            )
        known = []
        for store, one in zip(self.stored[layer_idx], new, strict=True):
            store[self.index[:, None], self.positions] = one.transpose(1, 2)
            part = (
                store[self.index, : self.longest] if self.span is None else store[self.span, : self.longest]
            )
            known.append(part.transpose(1, 2))
        return known[0], known[1]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Returns the position at which the pass begins. Raises RuntimeError where its rows have several: a
        class that asks, although it was told the positions, would compute with the wrong ones."""
        if len(self.positions) > 1:
            raise RuntimeError("the class asks its cache for one position of rows that have several")
        return self.longest - int(self.positions.shape[1])

    def get_query_offset(self, layer_idx: int = 0) -> int:
        """Returns where masks would begin; masks.py uses the positions of the rows instead."""
        return 0

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        return self.longest, 0

    def get_max_length(self, layer_idx: int | None = None) -> int:
        return self.context
