"""Runs a network of transformers as the engine's step: prompt chunks and single tokens of many rows.

There are three ways, of which self_check.py takes the first that computes what one whole pass computes:

* "together": one cache for all rows (rows.py). Rows that feed one token share a forward pass, and each chunk
  of a prompt is a pass of its own. Masks are made for rows at any positions (masks.py).
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
from inference.hf_models.rows import Rows
from inference.networks.batch import Bounds, Run, runs_of

TOGETHER, IN_TURN, APART = WAYS = ("together", "in turn", "apart")


class Caches(Protocol):
    """Feeds runs of one length to a network."""

    def forward(self, batch: list[Run], ids: Tensor, keep: list[int]) -> Tensor:
        """`ids` [n, T]; returns logits after the tokens `keep` of each: [n, len(keep), V]."""


class HfStep:
    """A causal model of transformers with rows of `context` tokens. Calls from one thread at a time."""

    def __init__(self, model: Any, rows: int, context: int, way: str = TOGETHER) -> None:
        self.model = model
        self.bounds = Bounds(rows, context, int(model.config.get_text_config().vocab_size))
        network = _Network(model)
        self.caches: Caches = _Own(network, rows) if way == APART else _Shared(network, Rows(rows, context))
        self._together = way == TOGETHER
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
        singles = [run for run in runs if run.length == 1 and self._together]
        batches = [[run] for run in runs if run not in singles] + ([singles] if singles else [])
        with torch.inference_mode():
            for batch in batches:
                keep = [i for i in range(batch[0].length) if any(run.start + i in asked for run in batch)]
                fed = torch.tensor(
                    [ids[run.start : run.start + run.length] for run in batch], device=self.model.device
                )
                out = self.caches.forward(batch, fed, keep)
                for run, answers in zip(batch, out, strict=True):
                    logits |= {run.start + i: answer for i, answer in zip(keep, answers, strict=True)}
                    self.filled[run.row] = run.pos + run.length
        if not out_at:
            return torch.zeros(0, self.bounds.vocab_size)
        return torch.stack([logits[place] for place in out_at]).float()


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

    def forward(self, batch: list[Run], ids: Tensor, keep: list[int]) -> Tensor:
        length = ids.shape[1]
        first = torch.tensor([run.pos for run in batch], device=ids.device)
        positions = first[:, None] + torch.arange(length, device=ids.device)  # [n, T]
        self.cache.turn_to([run.row for run in batch], positions, max(run.pos for run in batch) + length)
        with ragged(positions):
            return self._network(ids, positions, self.cache, keep)


class _Own:
    """A cache of the class's own kind for each row. It cannot go back: a row that does is fed again."""

    def __init__(self, network: _Network, rows: int) -> None:
        self._network = network
        self._caches: list[Any] = [None] * rows
        self._held: list[Tensor] = [torch.empty(1, 0, dtype=torch.long)] * rows  # the ids of each row

    def forward(self, batch: list[Run], ids: Tensor, keep: list[int]) -> Tensor:
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
