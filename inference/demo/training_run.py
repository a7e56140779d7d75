"""Trains the demo model's weights step by step, so that a run can be stopped and continued."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from inference.demo.architecture import demo_config
from inference.demo.packing import packed_mask
from inference.grok1.model import Grok1ForCausalLM, Router
from inference.model_dir.grok1_tensors import SCALE

BALANCE = 0.01  # how hard the router is pushed to use all experts
MEAN_KEEPS = 0.997  # the running mean of the weights looks back over some 300 steps


class Balance:
    """The usual balancing loss: an expert's share of the tokens times its mean probability, summed."""

    def __init__(self, model: Grok1ForCausalLM) -> None:
        self.terms: list[Tensor] = []
        for module in model.modules():
            if isinstance(module, Router):
                module.register_forward_hook(self.collect)

    def collect(self, router: Router, _: object, out: tuple[Tensor, Tensor, Tensor]) -> None:
        logits, _gates, chosen = out
        experts = logits.shape[-1]
        share = F.one_hot(chosen, experts).float().mean(dim=(0, 1))
        self.terms.append(experts * (share * logits.softmax(-1).mean(0)).sum())

    def take(self) -> Tensor:
        total = torch.stack(self.terms).mean()
        self.terms.clear()
        return total


def rate_at(done: float) -> float:
    """Returns the share of the peak rate at this share of the time: a short rise, then a cosine to 2 %."""
    return min(1.0, done / 0.03) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def answer_loss(model: Grok1ForCausalLM, ids: Tensor, weights: Tensor, owner: Tensor) -> Tensor:
    """Returns the mean loss over the answers of packed windows, each [B, T + 1].

    The scores over the vocabulary cost as much as three blocks, so they are made only where they count.
    """
    hidden = model.model(ids[:, :-1], attention_mask=packed_mask(owner[:, :-1]), use_cache=False)
    counts = (weights[:, 1:] * (owner[:, 1:] == owner[:, :-1])).flatten()  # [B * T]
    at = counts.nonzero().flatten()
    states = hidden.last_hidden_state.flatten(0, 1)[at]
    logits = F.linear(states, model.model.embed_tokens.weight) * model.config.output_multiplier
    loss = F.cross_entropy(logits.float(), ids[:, 1:].flatten()[at], reduction="none")
    return (loss * counts[at]).sum() / counts[at].sum()


def float_weights(folder: Path) -> dict[str, Tensor]:
    """Returns an earlier model's weights in float32, also from an int8 folder (as the shipped one is)."""
    stored = load_file(folder / "model.safetensors")
    weights = {}
    for name, values in stored.items():
        if name.endswith(SCALE):
            continue
        weights[name] = values.float()
        if (scale := stored.get(name + SCALE)) is not None:
            blocks = weights[name].reshape(*scale.shape, -1)  # [..., out, G, in / G]
            weights[name] = (blocks * scale.float().unsqueeze(-1)).flatten(-2)
    return weights


class Run:
    """A training run that can be stopped at any time and continued, from `state.pt` beside its weights.

    What is shipped is a running mean of the weights, which answers more evenly than any single step.
    """

    def __init__(self, out: Path, peak_rate: float) -> None:
        self.out, self.peak_rate = out, peak_rate
        self.model = Grok1ForCausalLM(demo_config()).train()
        self.mean = copy.deepcopy(self.model)
        self.balance = Balance(self.model)
        matrices = [p for p in self.model.parameters() if p.dim() > 1]
        vectors = [p for p in self.model.parameters() if p.dim() == 1]
        groups = [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=peak_rate, betas=(0.9, 0.97), fused=True)
        self.step, self.seen, self.loss, self.seconds = 0, 0, 0.0, 0.0

    def start_from(self, weights: dict[str, Tensor]) -> None:
        self.model.load_state_dict(weights)
        self.mean.load_state_dict(weights)

    def resume(self) -> None:
        state = torch.load(self.out / "state.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.mean.load_state_dict(state["mean"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seen, self.loss, self.seconds = state["counts"]

    def save(self) -> None:
        save(self.mean, self.out)
        state = {"model": self.model.state_dict(), "mean": self.mean.state_dict()}
        state |= {"optimizer": self.optimizer.state_dict()}
        state |= {"counts": (self.step, self.seen, self.loss, self.seconds)}
        torch.save(state, self.out / "state.pt.part")
        (self.out / "state.pt.part").replace(self.out / "state.pt")

    def advance(self, batch: tuple[Tensor, Tensor, Tensor], done: float) -> None:
        """Performs one step; `done` is the share of the time that has passed."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.peak_rate * rate_at(done)
        loss = answer_loss(self.model, *batch)
        (loss + BALANCE * self.balance.take()).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.step, self.seen = self.step + 1, self.seen + batch[0].numel()
        self.loss = loss.item() if self.step == 1 else 0.98 * self.loss + 0.02 * loss.item()
        keep = min(MEAN_KEEPS, self.step / (self.step + 9))
        with torch.no_grad():
            for mean, now in zip(self.mean.parameters(), self.model.parameters(), strict=True):
                mean.lerp_(now, 1 - keep)

    def metrics(self) -> dict[str, float]:
        minutes = round(self.seconds / 60, 2)
        return {"step": self.step, "tokens": self.seen, "minutes": minutes, "loss": round(self.loss, 4)}


def save(model: Grok1ForCausalLM, out: Path) -> None:
    """Saves bfloat16, half the bytes, loaded as float32 again; router and norms stay float32."""
    keep = ("router", "norm")
    tensors = {
        name: (value if any(word in name for word in keep) else value.to(torch.bfloat16)).contiguous()
        for name, value in model.state_dict().items()
    }
    partial = out / "model.safetensors.part"
    save_file(tensors, partial, metadata={"format": "pt"})
    partial.chmod(0o644)
    partial.replace(out / "model.safetensors")
    model.config.save_pretrained(out)
