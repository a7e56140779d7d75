"""Grok-2 in numpy and float64, one formula a line: no cache, no batch, no torch, none of the product's code.

It is written from the description in docs/model.md. T tokens, H hidden, N and K heads, D head size.
`Rules` holds what tests change to show that a mistake would be found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Rules:
    dense: bool = True
    divisor: float = np.sqrt(2)
    router_cap: bool = True
    renormalised: bool = False
    attention_cap: bool = True
    temperature: bool = True
    temperature_before_cap: bool = False
    final_cap: bool = True
    cap_before_multiplier: bool = False
    tied: bool = False
    base: float = 0.0  # of the rotation; 0: that of the configuration
    halves_swapped: bool = False  # of an expert: w3 goes through gelu


def norm(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * scale


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def cap(x: np.ndarray, limit: float) -> np.ndarray:
    return limit * np.tanh(x / limit)


def rotate(x: np.ndarray, base: float) -> np.ndarray:
    """[T, heads, D]: dimension i turns with i + D/2."""
    half = x.shape[-1] // 2
    angle = np.arange(len(x))[:, None, None] / base ** (np.arange(half) / half)
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], -1)


def attention(x: np.ndarray, w: Mapping[str, np.ndarray], c: Mapping[str, Any], rules: Rules) -> np.ndarray:
    d, base = c["head_dim"], rules.base or c["rope_theta"]
    q, k, v = ((x @ w[f"self_attn.{name}_proj.weight"].T).reshape(len(x), -1, d) for name in ("q", "k", "v"))
    q, k = rotate(q, base), rotate(k, base)
    shared = q.shape[1] // k.shape[1]  # query heads to one key head
    place = np.arange(len(x))
    seen = place <= place[:, None]
    length = c["attn_temperature_len"]
    hot = np.where(place > length, np.log2(np.maximum(place, 1)) / np.log2(length), 1.0)[:, None]
    if not rules.temperature:
        hot = np.ones_like(hot)
    out = np.empty_like(q)
    for head in range(q.shape[1]):
        scores = q[:, head] @ k[:, head // shared].T / np.sqrt(d)
        if rules.temperature_before_cap:
            scores = cap(scores * hot, c["attn_logit_softcapping"])
        elif rules.attention_cap:
            scores = cap(scores, c["attn_logit_softcapping"]) * hot
        else:
            scores = scores * hot
        out[:, head] = softmax(np.where(seen, scores, -np.inf)) @ v[:, head // shared]
    return out.reshape(len(x), -1) @ w["self_attn.o_proj.weight"].T


def mlp(x: np.ndarray, w: Mapping[str, np.ndarray]) -> np.ndarray:
    inner = gelu(x @ w["mlp.gate_proj.weight"].T) * (x @ w["mlp.up_proj.weight"].T)
    return inner @ w["mlp.down_proj.weight"].T


def moe(x: np.ndarray, w: Mapping[str, np.ndarray], c: Mapping[str, Any], rules: Rules) -> np.ndarray:
    out = np.zeros_like(x)
    scores = x @ w["block_sparse_moe.gate.weight"].T
    for t, row in enumerate(scores):
        probabilities = softmax(cap(row, c["router_logit_softcapping"]) if rules.router_cap else row)
        chosen = np.argsort(-probabilities)[: c["num_experts_per_tok"]]
        total = probabilities[chosen].sum() if rules.renormalised else 1.0
        for e in chosen:
            start = f"block_sparse_moe.experts.{e}"
            first, second = (x[t] @ w[f"{start}.{name}.weight"].T for name in ("w1", "w3"))
            inner = gelu(second) * first if rules.halves_swapped else gelu(first) * second
            out[t] += probabilities[e] / total * (inner @ w[f"{start}.w2.weight"].T)
    return out


def logits(
    weights: Mapping[str, np.ndarray], c: Mapping[str, Any], ids: Sequence[int], rules: Rules | None = None
) -> np.ndarray:
    """Logits after each token, [T, V]. `weights` and `c` have the names of the release."""
    rules = rules or Rules()
    w = {name: np.asarray(tensor, np.float64) for name, tensor in weights.items()}
    h = w["model.embed_tokens.weight"][list(ids)] * c["embedding_multiplier_scale"]
    for i in range(c["num_hidden_layers"]):
        begin = f"model.layers.{i}."
        layer = {name.removeprefix(begin): t for name, t in w.items() if name.startswith(begin)}
        n = {name: layer[f"{name}_norm.weight"] for name in ("pre_attn", "post_attn", "pre_moe", "post_moe")}
        h = h + norm(attention(norm(h, n["pre_attn"]), layer, c, rules), n["post_attn"])
        x = norm(h, n["pre_moe"])
        both = moe(x, layer, c, rules) + (mlp(x, layer) if rules.dense else 0.0)
        # The norm that follows removes a common factor, but for its eps.
        h = h + norm(both / rules.divisor, n["post_moe"])
    head = w["model.embed_tokens.weight"] if rules.tied else w["lm_head.weight"]
    out = norm(h, w["model.norm.weight"]) @ head.T
    factor, limit = c["output_multiplier_scale"], c["final_logit_softcapping"]
    if rules.cap_before_multiplier:
        return cap(out, limit) * factor
    return cap(out * factor, limit) if rules.final_cap else out * factor
