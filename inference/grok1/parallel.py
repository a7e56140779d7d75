"""The engine's step on several GPUs (or processes) of one host: every rank has a share of each layer.

Attention is shared out by heads: a rank has a block of the key heads, the query heads that look at them, and
the cache of their keys and values. The experts are shared out in one of two ways: a slice of the inner width
of each of them (tensor parallel), or whole experts (expert parallel). Twice a layer the ranks add up what
their shares gave. Embedding, router and norms are whole everywhere, so all ranks choose the same experts.

Rank 0 has the scheduler. It tells the others what to feed, a few integers for each token; they `follow`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from inference.base import exit_status
from inference.grok1.network import Constants, Layer, Network, TensorsOnDisk, as_served
from inference.grok1.step import TorchStep
from inference.model_dir.describe import ModelUnusable, describe
from inference.model_dir.headers import json_object

log = logging.getLogger(__name__)

IDLE = timedelta(
    days=365
)  # how long the others wait for a plan: a service may be idle for as long as it likes
STOP, CLEAR = 0, -1  # sent instead of a number of tokens


@dataclass(frozen=True)
class Share:
    """The share that rank `rank` of `size` has of a network."""

    rank: int
    size: int
    whole_experts: bool = False  # expert parallel; otherwise a slice of every expert

    def check(self, c: Constants) -> None:
        """Raises ValueError if the network cannot be shared out evenly."""
        experts = "experts" if self.whole_experts else "inner width of an expert"
        count = c.num_local_experts if self.whole_experts else c.intermediate_size
        for what, number in (("key heads", c.num_key_value_heads), (experts, count)):
            if number % self.size:
                raise ValueError(f"{self.size} ranks cannot share {what} evenly: {number}")

    def of(self, name: str, tensor: Tensor) -> Tensor:
        """Returns the rank's part of a tensor, by its name in model.py; rows are a view, columns a copy.

        int8 weights are cut like others; of their scales [.., out, G], the same outputs or the same blocks of
        inputs (all of them where one scale stands for all inputs).
        """
        name = name.removesuffix("_scale")
        if name.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight")):
            return self._part(tensor, 0)
        if name.endswith("o_proj.weight"):
            return self._part(tensor, 1)
        if ".experts." not in name:
            return tensor
        if self.whole_experts:
            return self._part(tensor, 0)
        if name.endswith("gate_up_proj"):  # [E, 2I, H]: a part of gate and the same part of up
            return torch.cat([self._part(half, 1) for half in tensor.chunk(2, dim=1)], dim=1)
        return self._part(tensor, 2)

    def _part(self, tensor: Tensor, dim: int) -> Tensor:
        if tensor.shape[dim] == 1:
            return tensor
        n, rest = divmod(tensor.shape[dim], self.size)
        if rest:
            raise ValueError(f"{self.size} ranks cannot share {tuple(tensor.shape)} evenly along {dim}")
        return tensor.narrow(dim, self.rank * n, n).contiguous()

    def network(self, config: Constants, tensors: Mapping[str, Tensor], *, exact: bool = False) -> Network:
        """Returns the rank's network from `tensors`, its parts. `exact` as in Network.from_tensors."""
        heads, kv_heads = config.num_attention_heads // self.size, config.num_key_value_heads // self.size
        mine = replace(config, num_attention_heads=heads, num_key_value_heads=kv_heads)
        network = Network.from_tensors(mine, tensors, exact=exact)
        if not self.whole_experts:
            return network
        like = network.embedding
        nothing = (like.new_empty(0, config.hidden_size), like.new_empty(config.hidden_size, 0))
        return replace(network, layers=tuple(self._numbered(layer, nothing) for layer in network.layers))

    def _numbered(self, layer: Layer, nothing: tuple[Tensor, Tensor]) -> Layer:
        """Returns experts by number; those of other ranks have no width here, and so add nothing."""
        n = len(layer.gate_up)
        before, behind = n * self.rank, n * (self.size - 1 - self.rank)
        gate_up, down = nothing
        return layer._replace(
            gate_up=(*(gate_up,) * before, *layer.gate_up, *(gate_up,) * behind),
            down=(*(down,) * before, *layer.down, *(down,) * behind),
        )


def load_share(path: Path, share: Share, dtype: torch.dtype, device: torch.device) -> Network:
    """Reads a rank's part of a model folder that inference/model_dir/admission.py has admitted.

    Raises ModelUnusable, or ValueError if the network cannot be shared out evenly.
    """
    files = describe(path)
    config = Constants.of(json_object(files.path / "config.json"))
    share.check(config)
    weights: dict[str, Tensor] = {}
    try:
        for name, tensor in TensorsOnDisk(files).items():  # maps: what is in no part is not read
            weights[name] = as_served(name, share.of(name, tensor), dtype).to(device)
    except RuntimeError as error:
        raise ModelUnusable(
            f"the weights in {files.path} cannot be read: {str(error).splitlines()[0]}"
        ) from error
    return share.network(config, weights)


class ParallelStep(TorchStep):
    """One rank's part of the step. Make one on every rank; rank 0 calls `step`, the others `follow`.

    A step that fails half-way leaves the others waiting for their sum, and the ranks' caches apart: nothing
    is left but to end the process, which ends the others too (torchrun sees to it).
    """

    def __init__(
        self, network: Network, rows: int, context: int, *, exit: Callable[[int], object] = os._exit
    ) -> None:
        # A rank may hold some of the experts only: the host picks those.
        super().__init__(network, rows, context, on_device=False)
        self._exit = exit
        # Plans go between processors, whatever the shares lie on: no GPU waits to read how many tokens come.
        self._plans = dist.new_group(backend="gloo", timeout=IDLE)

    # -- rank 0 --------------------------------------------------------------------------

    def step(
        self,
        ids: Sequence[int],
        row: Sequence[int],
        pos: Sequence[int],
        hide_pad: Sequence[int],
        out_at: Sequence[int],
    ) -> Tensor:
        """Makes a step as TorchStep does, on all ranks; only rank 0 gets logits."""
        self._check(ids, row, pos, hide_pad, out_at)  # the others hear of nothing that is refused
        try:
            self._say(len(ids))
            plan = torch.tensor([list(part) for part in (ids, row, pos, hide_pad)])
            dist.broadcast(plan, 0, group=self._plans)
            return super().step(ids, row, pos, hide_pad, out_at)
        except Exception:
            log.critical("a step over several ranks failed: this process ends", exc_info=True)
            self._exit(exit_status.ENGINE_FAILED)
            raise

    def clear(self) -> None:
        """Clears all rows on all ranks, as a new TorchStep would."""
        self._say(CLEAR)
        self._forget()

    def stop(self) -> None:
        """Lets `follow` of the other ranks return; no step may follow."""
        self._say(STOP)

    def _say(self, what: int) -> None:
        dist.broadcast(torch.tensor([what]), 0, group=self._plans)

    # -- the others ----------------------------------------------------------------------

    def follow(self) -> None:
        """Repeats the steps of rank 0 until it stops. Raises RuntimeError if rank 0 is gone."""
        said = torch.zeros(1, dtype=torch.long)
        while True:
            dist.broadcast(said, 0, group=self._plans)
            n = int(said)
            if n == STOP:
                return
            if n == CLEAR:
                self._forget()
                continue
            plan = torch.empty(4, n, dtype=torch.long)
            dist.broadcast(plan, 0, group=self._plans)
            ids, row, pos, hide_pad = plan.tolist()
            super().step(ids, row, pos, hide_pad, ())

    # -- all -----------------------------------------------------------------------------

    def _forget(self) -> None:
        self.keys.zero_()
        self.values.zero_()
        for row in range(self.rows):
            self.reset_row(row)

    def _project(self, mixed: Tensor, layer: Layer) -> Tensor:
        return _sum(super()._project(mixed, layer))

    def _experts(self, x: Tensor, layer: Layer) -> Tensor:
        return _sum(super()._experts(x, layer))


def _sum(part: Tensor) -> Tensor:
    """Sums over all ranks; each gets the same bits."""
    dist.all_reduce(part)
    return part
