"""Grok-1 in numpy and float64, one formula a line: no cache, no batch, no torch, none of the product's code.

It serves as the reference for weights that xAI's code was not run on; that it equals xAI's recorded outputs
where there are some is tested. T tokens, H hidden, N and K heads, D head size, E experts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def norm(x: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * scale


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def rotate(x: np.ndarray) -> np.ndarray:
    """[T, heads, D]: dimension i turns with i + D/2."""
    half = x.shape[-1] // 2
    angle = np.arange(len(x))[:, None, None] / 10_000.0 ** (np.arange(half) / half)
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * np.cos(angle) - b * np.sin(angle), b * np.cos(angle) + a * np.sin(angle)], -1)


def attention(
    x: np.ndarray, w: Mapping[str, np.ndarray], c: Mapping[str, Any], seen: np.ndarray
) -> np.ndarray:
    d = c["key_size"]
    q, k, v = ((x @ w[f"self_attn.{name}_proj.weight"].T).reshape(len(x), -1, d) for name in ("q", "k", "v"))
    q, k = rotate(q), rotate(k)
    shared = q.shape[1] // k.shape[1]  # query heads to one key head
    out = np.empty_like(q)
    for head in range(q.shape[1]):
        scores = q[:, head] @ k[:, head // shared].T * c["attn_output_multiplier"]
        scores = 30 * np.tanh(scores / 30)
        out[:, head] = softmax(np.where(seen, scores, -np.inf)) @ v[:, head // shared]
    return out.reshape(len(x), -1) @ w["self_attn.o_proj.weight"].T


def moe(x: np.ndarray, w: Mapping[str, np.ndarray], gaps: list[float]) -> np.ndarray:
    out = np.zeros_like(x)
    for t, probabilities in enumerate(softmax(x @ w["moe.router.weight"].T)):
        first, second, third = np.argsort(-probabilities)[:3]
        gaps.append(probabilities[second] - probabilities[third])
        for e in (first, second):
            left, right = np.split(w["moe.experts.gate_up_proj"][e] @ x[t], 2)
            out[t] += probabilities[e] * (w["moe.experts.down_proj"][e] @ (gelu(left) * right))
    return out


def logits(
    weights: Mapping[str, np.ndarray],
    constants: Mapping[str, Any],
    prompt: Sequence[int],
    later: Sequence[int],
) -> tuple[np.ndarray, float]:
    """Logits after each token, [T, V], and the least gap between a chosen and a refused expert.

    Token 0 is hidden as a key from the tokens of the prompt. `constants` has xAI's names.
    """
    w = {name: np.asarray(tensor, np.float64) for name, tensor in weights.items()}
    ids = np.array([*prompt, *later])
    place = np.arange(len(ids))
    seen = (place <= place[:, None]) & ~((ids == 0) & (place[:, None] < len(prompt)))  # [query, key]
    gaps: list[float] = []
    embedding = w["model.embed_tokens.weight"]
    h = embedding[ids] * constants["embedding_multiplier_scale"]
    for i in range(constants["num_layers"]):
        begin = f"model.layers.{i}."
        layer = {name.removeprefix(begin): t for name, t in w.items() if name.startswith(begin)}
        n = [layer[f"norm{j}.weight"] for j in range(4)]
        h = h + norm(attention(norm(h, n[0]), layer, constants, seen), n[1])
        h = h + norm(moe(norm(h, n[2]), layer, gaps), n[3])
    out = norm(h, w["model.norm.weight"]) @ embedding.T * constants["output_multiplier_scale"]
    return out, min(gaps)
