"""Runs a network of transformers as the engine's step: one cache for all rows, prompt chunks, single tokens.

Each prompt chunk is a forward pass of its own; the rows that feed one token go together. The network sees a
cache of its own kind (`Rows`) and a mask that says which keys are a row's own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a folder is all there is: nothing is asked of any hub

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM
from transformers.cache_utils import Cache

from inference.hf_models.configs import load_config
from inference.hf_models.tensors import check_tensors
from inference.model_dir.admission import admit, serving_dtype
from inference.model_dir.describe import ModelUnusable
from inference.model_dir.headers import first_line, read_headers
from inference.networks.batch import Bounds, Run, runs_of


class Rows(Cache):
    """Keys and values of all rows, preallocated. Where the next pass writes and reads is set by `turn_to`."""

    def __init__(self, rows: int, context: int) -> None:
        self.layers = []  # transformers' own bookkeeping, which none of the networks asks for
        self.rows, self.context = rows, context
        self.stored: list[tuple[Tensor, Tensor]] = []  # a layer: keys and values [rows, context, K, D]

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
        if layer_idx == len(self.stored):
            heads, size = key_states.shape[1], key_states.shape[3]
            self.stored.append(
                (
                    key_states.new_zeros(self.rows, self.context, heads, size),
                    value_states.new_zeros(self.rows, self.context, heads, value_states.shape[3]),
                )
            )
        known = []
        for store, new in zip(self.stored[layer_idx], (key_states, value_states), strict=True):
            store[self.index[:, None], self.positions] = new.transpose(1, 2)
            part = (
                store[self.index, : self.longest] if self.span is None else store[self.span, : self.longest]
            )
            known.append(part.transpose(1, 2))
        return known[0], known[1]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self.longest

    def get_max_cache_shape(self, layer_idx: int = 0) -> int:
        return self.context


class HfStep:
    """A causal model of transformers with rows of `context` tokens. Calls from one thread at a time."""

    def __init__(self, model: Any, rows: int, context: int) -> None:
        self.model = model
        self.bounds = Bounds(rows, context, int(model.config.vocab_size))
        self.cache = Rows(rows, context)
        self.filled = [0] * rows  # tokens each row holds

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
        singles = [run for run in runs if run.length == 1]
        batches = [[run] for run in runs if run.length > 1] + ([singles] if singles else [])
        with torch.inference_mode():
            for batch in batches:
                keep = [i for i in range(batch[0].length) if any(run.start + i in asked for run in batch)]
                out = self._forward(batch, ids, keep)  # [n, len(keep), V]
                for run, answers in zip(batch, out, strict=True):
                    logits |= {run.start + i: answer for i, answer in zip(keep, answers, strict=True)}
                    self.filled[run.row] = run.pos + run.length
        if not out_at:
            return torch.zeros(0, self.bounds.vocab_size)
        return torch.stack([logits[place] for place in out_at]).float()

    def _forward(self, batch: list[Run], ids: Sequence[int], keep: list[int]) -> Tensor:
        """Feeds runs of one length to the network; returns logits after the tokens `keep` of each."""
        device, length = self.model.device, batch[0].length
        fed = torch.tensor([ids[run.start : run.start + length] for run in batch], device=device)
        first = torch.tensor([run.pos for run in batch], device=device)
        positions = first[:, None] + torch.arange(length, device=device)  # [n, T]
        longest = max(run.pos for run in batch) + length
        later = torch.arange(longest, device=device) > positions[:, None, :, None]  # [n, 1, T, S]
        dtype = self.model.dtype
        mask = torch.zeros(later.shape, dtype=dtype, device=device).masked_fill_(
            later, torch.finfo(dtype).min
        )
        self.cache.turn_to([run.row for run in batch], positions, longest)
        out = self.model(
            input_ids=fed,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            # One at least: an empty choice is no choice to some networks.
            logits_to_keep=torch.tensor(keep or [length - 1], device=device),
        )
        logits: Tensor = out.logits[:, : len(keep)]
        return logits


def load_model(path: Path, *, slots: int, device: str = "cpu", context: int = 0) -> Any:
    """Returns the network of a folder, from safetensors alone and without any code of its own; or raises
    ModelUnusable."""
    free = torch.cuda.mem_get_info()[0] if device == "cuda" else None
    files = admit(path, slots, free=free, context=context)
    config = load_config(files.path)
    loader: Any = AutoModelForCausalLM
    try:
        check_tensors(config, read_headers(files.shards), files.path)
        model, loading = loader.from_pretrained(
            files.path,
            dtype=getattr(torch, serving_dtype(files)),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except ModelUnusable:
        raise
    except Exception as error:  # transformers raises errors of many kinds
        raise ModelUnusable(f"{files.path} cannot be loaded: {first_line(error)}") from error
    missing = sorted(loading["missing_keys"])
    if missing:
        raise ModelUnusable(f"{len(missing)} tensors are missing in {files.path}: {missing[0]}")
    network: Any = model
    return network.to(device).eval().requires_grad_(False)
