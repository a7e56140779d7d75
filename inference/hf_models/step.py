"""Runs a network of transformers as the engine's step: prompt chunks and single tokens of many rows.

There are four ways, of which self_check.py takes the first that computes what one whole pass computes:

* "together": one cache for all rows (rows.py). Rows that feed one token share a forward pass, and so do
  chunks of several prompts (passes.py). Masks are made for rows at any positions (masks.py).
* "prompts in turn": the same, except that each chunk of a prompt is a pass of its own.
* "in turn": the same cache, and one pass for each row. For classes that ask the cache for their position,
  such as Llama 4, whose attention depends on it.
* "apart": a cache of the class's own kind for each row, and one pass for each row. For state-space layers and
  other states that are no list of keys and values.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from typing import Any, Protocol

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a folder is all there is: nothing is asked of any hub

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from inference.hf_models.masks import ragged
from inference.hf_models.passes import Costs, costs_of, pass_in_turn, places_of, share_passes
from inference.hf_models.rows import Rows
from inference.networks.batch import Bounds, Run, runs_of

TOGETHER, PROMPTS_IN_TURN, IN_TURN, APART = WAYS = ("together", "prompts in turn", "in turn", "apart")


class Caches(Protocol):
    """Feeds the runs of a pass to a network."""

    def forward(self, batch: list[Run], ids: Tensor, positions: Tensor, keep: list[int]) -> Tensor:
        """`ids` and `positions` [n, T]; returns logits after the tokens `keep` of each: [n, len(keep), V]."""


class HfStep:
    """A causal model of transformers with rows of `context` tokens. Calls from one thread at a time."""

    def __init__(
        self, model: Any, rows: int, context: int, way: str = TOGETHER, costs: Costs | None = None
    ) -> None:
        """`costs` decide which prompts share a pass; by default those of the model on its device."""
        self.model = model
        self.bounds = Bounds(rows, context, int(model.config.get_text_config().vocab_size))
        network = _Network(model)
        self.caches: Caches = _Own(network, rows) if way == APART else _Shared(network, Rows(rows, context))
        self._way, self._costs = way, costs or costs_of(model)
        self.filled = [0] * rows  # tokens each row holds

    @property
    def cache_bytes(self) -> int:
        """Returns the size of the shared cache; 0 where each row has its own."""
        return self.caches.cache.nbytes if isinstance(self.caches, _Shared) else 0

    def step(
        self,
        ids: Sequence[int],
        row: Sequence[int],
        pos: Sequence[int],
        hide_pad: Sequence[int],
        out_at: Sequence[int],
    ) -> Tensor:
        """Makes a step as TorchStep.step does; `hide_pad` is a peculiarity of Grok-1 and is ignored."""
        runs = runs_of(ids, row, pos, out_at, self.bounds, self.filled)
        asked = set(out_at)
        logits: dict[int, Tensor] = {}
        with torch.inference_mode():
            for batch in self._passes(runs):
                logits |= self._pass(batch, ids, pos, asked)
                for run in batch:
                    self.filled[run.row] = run.pos + run.length
        if not out_at:
            return torch.zeros(0, self.bounds.vocab_size)
        return torch.stack([logits[place] for place in out_at]).float()

    def _passes(self, runs: list[Run]) -> list[list[Run]]:
        if self._way == TOGETHER:
            return share_passes(runs, self._costs)
        return pass_in_turn(runs, singles_share=self._way == PROMPTS_IN_TURN)

    def _pass(
        self, batch: list[Run], ids: Sequence[int], pos: Sequence[int], asked: set[int]
    ) -> dict[int, Tensor]:
        """Feeds the runs of one pass; returns the logits [V] after those of their tokens that are asked."""
        places = places_of(batch)  # [n][T]
        columns = [
            {run.start + i: len(row) - run.length + i for i in range(run.length) if run.start + i in asked}
            for run, row in zip(batch, places, strict=True)
        ]
        keep = sorted({column for wanted in columns for column in wanted.values()})
        fed, positions = (
            torch.tensor([[numbers[place] for place in row] for row in places], device=self.model.device)
            for numbers in (ids, pos)
        )
        out = self.caches.forward(batch, fed, positions, keep)  # [n, len(keep), V]
        return {
            place: answers[keep.index(column)]
            for wanted, answers in zip(columns, out, strict=True)
            for place, column in wanted.items()
        }


class _Network:
    """Calls a model with those arguments that its class takes."""

    def __init__(self, model: Any) -> None:
        self.model = model
        takes = inspect.signature(model.forward).parameters
        self._cache = "past_key_values" if "past_key_values" in takes else "cache_params"
        self._positions, self._keep = "position_ids" in takes, "logits_to_keep" in takes

    def __call__(self, ids: Tensor, positions: Tensor, cache: Any, keep: list[int]) -> Tensor:
        """Returns logits after the tokens `keep` of each row: [n, len(keep), V]."""
        options: dict[str, Any] = {self._cache: cache, "use_cache": True}
        if self._positions:
            options["position_ids"] = positions
        if self._keep:
            # One at least: an empty choice is no choice to some networks.
            options["logits_to_keep"] = torch.tensor(keep or [ids.shape[1] - 1], device=ids.device)
        logits: Tensor = self.model(input_ids=ids, **options).logits
        return logits[:, : len(keep)] if self._keep else logits[:, keep]


class _Shared:
    """One cache for all rows."""

    def __init__(self, network: _Network, cache: Rows) -> None:
        self._network, self.cache = network, cache

    def forward(self, batch: list[Run], ids: Tensor, positions: Tensor, keep: list[int]) -> Tensor:
        self.cache.turn_to([run.row for run in batch], positions, max(run.pos + run.length for run in batch))
        with ragged(positions):
            return self._network(ids, positions, self.cache, keep)


class _Own:
    """A cache of the class's own kind for each row. It cannot go back: a row that does is fed again."""

    def __init__(self, network: _Network, rows: int) -> None:
        self._network = network
        self._caches: list[Any] = [None] * rows
        self._held: list[Tensor] = [torch.empty(1, 0, dtype=torch.long)] * rows  # the ids of each row

    def forward(self, batch: list[Run], ids: Tensor, positions: Tensor, keep: list[int]) -> Tensor:
        (run,) = batch
        held = self._held[run.row].to(ids.device)[:, : run.pos]
        if run.pos == 0 or run.pos < self._held[run.row].shape[1]:
            self._caches[run.row] = DynamicCache(config=self._network.model.config)
            if run.pos:
                self._feed(run.row, held, 0, [])
        self._held[run.row] = torch.cat([held, ids], 1)
        return self._feed(run.row, ids, run.pos, keep)

    def _feed(self, row: int, ids: Tensor, pos: int, keep: list[int]) -> Tensor:
        positions = torch.arange(pos, pos + ids.shape[1], device=ids.device)[None]
        return self._network(ids, positions, self._caches[row], keep)
