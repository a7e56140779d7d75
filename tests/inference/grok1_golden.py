"""Loads the recorded answers of xAI's own code on the small model of tests/data/grok1, and measures distances
from them.

Letters in the shapes: T prompt tokens, n recorded decode tokens, V vocabulary. A `way` is one of our ways to
run the network; it answers a conversation of T + n tokens with the logits after each of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from inference.grok1 import Grok1Config, Grok1ForCausalLM
from inference.grok1.network import Network
from inference.grok1.step import TorchStep
from tests.data.grok1 import convert

DATA = Path(__file__).parents[1] / "data" / "grok1"
PROMPTS = ("len1", "len2", "len7", "len16", "len33", "len48", "pad_inside", "repeat")
FLOAT32_SD = 1e-3  # largest difference, in standard deviations of the reference logits
BFLOAT16_SD = 0.12  # median over positions of the rms difference
NEAR_TIE = 1e-5  # router probabilities this near may change places, and all that follows with them

Golden = dict[str, np.ndarray]
Weights = dict[str, torch.Tensor]
Way = Callable[[Grok1ForCausalLM, Sequence[int], Sequence[int]], np.ndarray]


def load_golden() -> Golden:
    with np.load(DATA / "golden.npz") as file:
        return dict(file)


def load_weights() -> Weights:
    return load_file(DATA / "model.safetensors")


def load_int8() -> Weights:
    """Loads the same network in xAI's own integers and scales."""
    return convert.convert_int8(DATA / "ckpt-0", load_config().num_hidden_layers)


def load_config() -> Grok1Config:
    return Grok1Config.from_dict(json.loads((DATA / "config.json").read_text()))


def build(config: Grok1Config, weights: Weights) -> Grok1ForCausalLM:
    """A network of these very tensors, in float32."""
    with torch.device("meta"):
        model = Grok1ForCausalLM(config)
    model.load_state_dict({name: tensor.clone() for name, tensor in weights.items()}, assign=True)
    return model.eval().requires_grad_(False)


def make_step(model: Grok1ForCausalLM | Network, rows: int = 1, context: int = 128) -> TorchStep:
    return TorchStep(model, rows=rows, context=context)


def spoken(golden: Golden, prompt: str) -> tuple[list[int], list[int]]:
    """The prompt's T tokens and the n that follow."""
    return golden[f"{prompt}/tokens"].tolist(), golden[f"{prompt}/decode_tokens"].tolist()


def reference(golden: Golden, prompt: str) -> np.ndarray:
    """xAI's logits: [T + n, V]."""
    return np.concatenate([golden[f"{prompt}/prefill_logits_f32"], golden[f"{prompt}/decode_logits_f32"]])


def off_by(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference in standard deviations of the reference at that position; NaN if there is one."""
    assert ours.shape == theirs.shape
    return float((np.abs(ours - theirs).max(axis=1) / theirs.std(axis=1)).max())


def assert_same_greedy(ours: np.ndarray, golden: Golden, prompt: str, lead: float = 0.0) -> None:
    """Wherever xAI's code prefers its token over the next by at least `lead` standard deviations."""
    chosen = ours[len(golden[f"{prompt}/tokens"]) - 1 : -1].argmax(axis=1)
    clear = golden[f"{prompt}/greedy_lead_f32"] >= lead
    assert chosen[clear].tolist() == golden[f"{prompt}/greedy_tokens_f32"][clear].tolist()


def feed(step: TorchStep, row: int, ids: Sequence[int], start: int, hide: int, chunk: int) -> np.ndarray:
    """Ids into one row from position `start`, `chunk` at a time; the logits after each: [len(ids), V]."""
    out = []
    for first in range(0, len(ids), chunk):
        part = ids[first : first + chunk]
        n, at = len(part), start + first
        out.append(step.step(part, [row] * n, list(range(at, at + n)), [hide] * n, list(range(n))))
    return torch.cat(out).numpy()


def by_class(model: Grok1ForCausalLM, tokens: Sequence[int], later: Sequence[int]) -> np.ndarray:
    """The transformers class: the prompt whole, then token by token through its cache."""
    with torch.inference_mode():
        out = model(input_ids=torch.tensor([list(tokens)]))
        logits = [out.logits[0]]
        for token in later:
            out = model(input_ids=torch.tensor([[token]]), past_key_values=out.past_key_values)
            logits.append(out.logits[0])
    return torch.cat(logits).float().numpy()


def by_step(model: Grok1ForCausalLM | Network, tokens: Sequence[int], later: Sequence[int]) -> np.ndarray:
    """The engine's step: the prompt whole, then token by token."""
    step = make_step(model)
    prompt = feed(step, 0, tokens, 0, hide=1, chunk=len(tokens))
    return np.concatenate([prompt, *([feed(step, 0, later, len(tokens), hide=0, chunk=1)] if later else [])])
