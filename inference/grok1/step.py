"""Grok-1 for the engine: one call moves a ragged batch of prompt chunks and single tokens through the
network.

The mathematics is `model.py`'s and the weights are used in place; only the bookkeeping differs: keys and
values live in preallocated rows, one row a conversation, and the tokens of all rows of a step are laid one
after another. Letters as in model.py, and n for the tokens of this step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from inference.grok1.network import Layer, Network, load_for_serving
from inference.grok1.rotary import rope_tables
from inference.networks.batch import Bounds, Run, runs_of
from inference.networks.int8 import Int8Matrix, Weight, linear

if TYPE_CHECKING:  # serving needs no transformers, and does not wait for its import
    from inference.grok1.model import Grok1ForCausalLM

__all__ = ["TorchStep", "load_for_serving"]

HIDDEN = torch.finfo(torch.float32).min  # added to the score of a key that must not be seen


class TorchStep:
    """The model with a cache of `rows` conversations of up to `context` tokens each.

    A row is used from position 0 on; a step may begin anywhere up to its end, and what lay behind is then
    forgotten. Calls must come from one thread at a time.
    """

    @torch.no_grad()
    def __init__(
        self,
        network: Network | Grok1ForCausalLM,
        rows: int,
        context: int,
        *,
        on_device: bool | None = None,
    ) -> None:
        """`network` as `load_for_serving` reads it, or the class of transformers (weights shared).

        `on_device`: which experts serve which tokens stays on the device, so that a GPU never waits for the
        host within a step. None: for bfloat16 on a GPU, which grouped products are made for.
        """
        if not isinstance(network, Network):
            network = Network.from_model(network)
        c = self.config = network.config
        if rows < 1 or not 1 <= context <= c.max_position_embeddings:
            raise ValueError(
                f"needs rows >= 1 and context 1..{c.max_position_embeddings}; got {rows} and {context}"
            )
        self.rows, self.context = rows, context
        self.embedding = network.embedding  # [V, H]
        self.vocab_size = self.embedding.shape[0]
        self.device, self.dtype = self.embedding.device, self.embedding.dtype
        self.layers, self.last_norm = network.layers, network.last_norm
        self.heads, self.kv_heads, self.head_dim = c.num_attention_heads, c.num_key_value_heads, c.head_dim
        self.top_k = c.num_experts_per_tok
        self.on_device = self._suits_gpu() if on_device is None else on_device

        shape = (len(self.layers), rows, context, self.kv_heads, self.head_dim)
        self.keys = torch.zeros(shape, dtype=self.dtype, device=self.device)
        self.values = torch.zeros(shape, dtype=self.dtype, device=self.device)
        self.filled = [0] * rows  # tokens each row holds
        self.pads: list[set[int]] = [set() for _ in range(rows)]  # positions of token 0 in each row

        positions = torch.arange(context, device=self.device)
        cos, sin = rope_tables(positions, self.head_dim, c.rope_theta)
        # The sign of model.rotate goes into the table, so that a plain swap of halves is enough.
        sin[:, : self.head_dim // 2].neg_()
        self.cos = cos.to(self.dtype).unsqueeze(1)  # [context, 1, D]
        self.sin = sin.to(self.dtype).unsqueeze(1)
        self.places = positions

    def _suits_gpu(self) -> bool:
        return self.device.type != "cpu" and self.dtype == torch.bfloat16

    @property
    def cache_bytes(self) -> int:
        return 2 * self.keys.numel() * self.keys.element_size()

    def reset_row(self, row: int) -> None:
        """Clears a row for another conversation."""
        if not 0 <= row < self.rows:
            raise ValueError(f"row {row} is not one of {self.rows}")
        self.filled[row] = 0
        self.pads[row].clear()

    def step(
        self,
        ids: Sequence[int],
        row: Sequence[int],
        pos: Sequence[int],
        hide_pad: Sequence[int],
        out_at: Sequence[int],
    ) -> Tensor:
        """Feed n tokens; the float32 logits after those at places `out_at` of the batch: [len(out_at), V].

        The tokens of a row stand together and at consecutive positions. `hide_pad` is 1 for a token of the
        original prompt (also when it is fed again): it does not see token 0 as a key, later tokens do.
        """
        with torch.inference_mode():
            logits = self._step(ids, row, pos, hide_pad, out_at)
        return logits.clone()  # an ordinary tensor, which the caller may change in place

    def _step(
        self,
        ids: Sequence[int],
        row: Sequence[int],
        pos: Sequence[int],
        hide_pad: Sequence[int],
        out_at: Sequence[int],
    ) -> Tensor:
        runs = self._check(ids, row, pos, hide_pad, out_at)
        n = len(ids)
        at = torch.tensor(pos, device=self.device)
        cos, sin = self.cos[at], self.sin[at]  # [n, 1, D]
        where = torch.tensor(row, device=self.device)
        singles = runs if n > 1 and len(runs) == n else []  # a pure decode step of several rows
        if singles:
            masks = [self._mask_singles(runs, hide_pad)]
        else:
            masks = [self._mask(run, hide_pad) for run in runs]
        wide = (self.heads + self.kv_heads) * self.head_dim

        h = F.embedding(torch.tensor(ids, device=self.device), self.embedding)  # [n, H]
        h = h * self.config.embedding_multiplier
        for i, layer in enumerate(self.layers):
            x = self._norm(h, layer.norms[0])
            qkv = linear(x, layer.qkv)  # [n, (N + 2K) * D]
            qk = qkv[:, :wide].view(n, -1, self.head_dim)  # [n, N + K, D]
            qk = torch.addcmul(qk * cos, qk.roll(self.head_dim // 2, -1), sin)
            q, k = qk[:, : self.heads], qk[:, self.heads :]
            v = qkv[:, wide:].view(n, self.kv_heads, self.head_dim)
            if n == 1:
                self.keys[i, row[0], pos[0]] = k[0]
                self.values[i, row[0], pos[0]] = v[0]
            else:
                self.keys[i].index_put_((where, at), k)
                self.values[i].index_put_((where, at), v)
            if singles:
                mixed = self._attend_singles(i, singles, q, masks[0])
            elif len(runs) == 1:
                mixed = self._attend(i, runs[0], q, masks[0])
            else:
                mixed = torch.cat(
                    [self._attend(i, run, q, mask) for run, mask in zip(runs, masks, strict=True)]
                )
            h = h + self._norm(self._project(mixed, layer), layer.norms[1])
            h = h + self._norm(self._experts(self._norm(h, layer.norms[2]), layer), layer.norms[3])

        for run in runs:
            self.filled[run.row] = run.pos + run.length
        if len(out_at) != n or list(out_at) != list(range(n)):
            h = h[torch.tensor(out_at, device=self.device, dtype=torch.long)]
        return F.linear(self._norm(h, self.last_norm), self.embedding).float() * self.config.output_multiplier

    # -- parts of a block ----------------------------------------------------------------

    def _norm(self, x: Tensor, weight: Tensor) -> Tensor:
        y = x.float()
        y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.config.rms_norm_eps)
        return (y * weight).to(x.dtype)

    def _cap(self, scores: Tensor) -> Tensor:
        """Multiplies, then applies cap * tanh(score / cap); `scores` is overwritten."""
        cap = self.config.attn_logit_softcap
        return scores.mul_(self.config.attention_multiplier / cap).tanh_().mul_(cap)

    def _attend(self, i: int, run: Run, q: Tensor, mask: Tensor | None) -> Tensor:
        """Attends with the tokens of one row to all its keys: [t, N * D]."""
        t, seen = run.length, run.pos + run.length
        group = self.heads // self.kv_heads
        k = self.keys[i, run.row, :seen].permute(1, 2, 0)  # [K, D, S]
        v = self.values[i, run.row, :seen].transpose(0, 1)  # [K, S, D]
        q = q[run.start : run.start + t].view(t, self.kv_heads, group, self.head_dim)  # [t, K, N/K, D]
        q = q.permute(1, 2, 0, 3).reshape(self.kv_heads, group * t, self.head_dim)
        scores = self._cap(torch.bmm(q, k).float())  # [K, N/K * t, S]
        if mask is not None:
            scores.view(self.kv_heads, group, t, seen).add_(mask)
        mixed = torch.bmm(scores.softmax(-1).to(v.dtype), v)  # [K, N/K * t, D]
        return mixed.view(self.heads, t, self.head_dim).transpose(0, 1).reshape(t, -1)

    def _attend_singles(self, i: int, runs: list[Run], q: Tensor, mask: Tensor | None) -> Tensor:
        """Attends with one token of each of several rows: [n, N * D]. Masks keys that shorter rows lack."""
        n, longest = len(runs), max(run.pos for run in runs) + 1
        lowest = runs[0].row
        if all(run.row == lowest + j for j, run in enumerate(runs)):  # neighbours: a view is enough
            k, v = self.keys[i, lowest : lowest + n, :longest], self.values[i, lowest : lowest + n, :longest]
        else:
            rows = torch.tensor([run.row for run in runs], device=self.device)
            k, v = self.keys[i, :, :longest][rows], self.values[i, :, :longest][rows]  # [n, S, K, D]
        q = q.view(n, self.kv_heads, -1, self.head_dim)  # [n, K, N/K, D]
        mixed = torch.empty_like(q)
        for head in range(self.kv_heads):
            scores = self._cap(torch.bmm(q[:, head], k[:, :, head].transpose(1, 2)).float())  # [n, N/K, S]
            if mask is not None:
                scores.add_(mask)
            mixed[:, head] = torch.bmm(scores.softmax(-1).to(v.dtype), v[:, :, head])
        return mixed.view(n, -1)

    def _project(self, mixed: Tensor, layer: Layer) -> Tensor:
        """Projects the heads' output back to the hidden size: [n, N * D] -> [n, H]."""
        return linear(mixed, layer.o)

    def _experts(self, x: Tensor, layer: Layer) -> Tensor:
        """Applies the experts: [n, H] -> [n, H]; gates are the softmax over all experts, not renormalised."""
        gates, chosen = F.linear(x.float(), layer.router).softmax(-1).topk(self.top_k, -1)  # [n, k]
        if self.on_device:
            return self._experts_on_device(x, layer, gates, chosen)
        if x.shape[0] == 1:
            out = None
            for gate, e in zip(gates[0].tolist(), chosen[0].tolist(), strict=True):
                y = self._expert(x, layer.gate_up[e], layer.down[e]).mul_(gate)
                out = y if out is None else out.add_(y)
            assert out is not None
            return out
        out = torch.zeros_like(x)
        gates = gates.to(x.dtype)
        for e, (tokens, choices) in _by_expert(chosen.tolist()).items():
            token = torch.tensor(tokens, device=self.device)
            y = self._expert(x[token], layer.gate_up[e], layer.down[e])
            y *= gates[token, torch.tensor(choices, device=self.device)].unsqueeze(1)
            out.index_add_(0, token, y)
        return out

    def _experts_on_device(self, x: Tensor, layer: Layer, gates: Tensor, chosen: Tensor) -> Tensor:
        """Applies the experts without a number that the host would have to read from the device."""
        if any(isinstance(one, Int8Matrix) for one in layer.down):
            out = torch.zeros_like(x)
            # Every expert for every token, times nought where it was not chosen: a crowd needs them all.
            for e, (gate_up, down) in enumerate(zip(layer.gate_up, layer.down, strict=True)):
                gate = (gates * (chosen == e)).sum(-1, keepdim=True)  # [n, 1]
                out += self._expert(x, gate_up, down) * gate.to(x.dtype)
            return out
        flat = chosen.flatten()
        order = flat.argsort(stable=True)  # choices by expert
        token = order // self.top_k
        ends = (flat[:, None] == torch.arange(len(layer.down), device=x.device)).sum(0).cumsum(0).int()
        gate_up, down = whole(layer.gate_up), whole(layer.down)
        left, right = F.grouped_mm(x[token], gate_up.transpose(1, 2), offs=ends).chunk(2, dim=-1)
        y = F.grouped_mm(F.gelu(left, approximate="tanh").mul_(right), down.transpose(1, 2), offs=ends)
        y *= gates.flatten()[order].unsqueeze(1).to(x.dtype)
        return y[order.argsort()].view(x.shape[0], self.top_k, -1).sum(1)  # always in the same order

    @staticmethod
    def _expert(x: Tensor, gate_up: Weight, down: Weight) -> Tensor:
        left, right = linear(x, gate_up).chunk(2, dim=-1)
        return linear(F.gelu(left, approximate="tanh").mul_(right), down)

    # -- masks and checks ----------------------------------------------------------------

    def _mask(self, run: Run, hide_pad: Sequence[int]) -> Tensor | None:
        """Returns [t, S] to add to one row's scores, or None where every key is visible."""
        if run.length == 1 and not run.hide:
            return None
        end = run.pos + run.length
        later = self.places[:end] > self.places[run.pos : end, None]  # [t, S]
        if run.hide:
            pad = torch.zeros(end, dtype=torch.bool, device=self.device)
            pad[[p for p in self.pads[run.row] if p < end]] = True
            asks = torch.tensor(
                hide_pad[run.start : run.start + run.length], device=self.device, dtype=torch.bool
            )
            later = later | (asks[:, None] & pad)
        return torch.zeros(later.shape, device=self.device).masked_fill_(later, HIDDEN)

    def _mask_singles(self, runs: list[Run], hide_pad: Sequence[int]) -> Tensor | None:
        """Returns the mask [n, 1, S] for one token of each of several rows."""
        longest = max(run.pos for run in runs) + 1
        if all(run.pos + 1 == longest and not run.hide for run in runs):
            return None
        mask = torch.zeros(len(runs), 1, longest, device=self.device)
        for j, run in enumerate(runs):
            mask[j, 0, run.pos + 1 :] = HIDDEN
            if run.hide:
                mask[j, 0, [p for p in self.pads[run.row] if p <= run.pos]] = HIDDEN
        return mask

    def _check(
        self,
        ids: Sequence[int],
        row: Sequence[int],
        pos: Sequence[int],
        hide_pad: Sequence[int],
        out_at: Sequence[int],
    ) -> list[Run]:
        """Splits a batch into runs; refuses one that would reach outside a row, without changing anything."""
        if len(hide_pad) != len(ids):
            raise ValueError(f"hide_pad needs the length of ids: {len(hide_pad)}, {len(ids)}")
        bounds = Bounds(self.rows, self.context, self.vocab_size)
        runs = runs_of(ids, row, pos, out_at, bounds, self.filled)
        return [self._remember_pads(run, ids, hide_pad) for run in runs]

    def _remember_pads(self, run: Run, ids: Sequence[int], hide_pad: Sequence[int]) -> Run:
        """Records the positions of token 0 in the row; returns whether this run has to hide it."""
        pads, places = self.pads[run.row], range(run.start, run.start + run.length)
        if pads:
            pads.difference_update([p for p in pads if p >= run.pos])
        if self.config.pad_token_id is not None:
            pads.update(run.pos + i - run.start for i in places if ids[i] == self.config.pad_token_id)
        return run._replace(hide=bool(pads) and any(hide_pad[i] for i in places))


def whole(parts: Sequence[Weight]) -> Tensor:
    """Returns the matrices of all experts as one [E, out, in], without copying slices of one."""
    first = parts[0]
    assert isinstance(first, Tensor)
    tensors = [part for part in parts if isinstance(part, Tensor)]
    size, storage = first.numel(), first.untyped_storage().data_ptr()
    places = [part.storage_offset() for part in tensors]
    if all(
        part.is_contiguous() and part.untyped_storage().data_ptr() == storage for part in tensors
    ) and places == [places[0] + i * size for i in range(len(tensors))]:
        return first.as_strided((len(tensors), *first.shape), (size, *first.stride()), places[0])
    return torch.stack(tensors)


def _by_expert(chosen: list[list[int]]) -> dict[int, tuple[list[int], list[int]]]:
    """Returns the tokens of each expert, and which of their choices it is; in the order of the experts."""
    groups: dict[int, tuple[list[int], list[int]]] = {}
    for token, experts in enumerate(chosen):
        for choice, e in enumerate(experts):
            tokens, choices = groups.setdefault(e, ([], []))
            tokens.append(token)
            choices.append(choice)
    return dict(sorted(groups.items()))
