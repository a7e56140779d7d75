"""Makes a tiny Grok-2 in the files of the release: 18 groups, the experts divided among eight ranks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

RANKS = 8
# Ids 0 to 255 are bytes; the merges lead to " world" and "hello".
MERGED = [
    b"he",
    b"ll",
    b"llo",
    b"hello",
    b" w",
    b"or",
    b" wor",
    b"ld",
    b" world",
    b"12",
    b"Hu",
    b"man",
    b"Human",
]
SPECIAL = ["<|pad|>", "<|separator|>", "<|eos|>", "<|control1|>"]
VOCAB = 288  # rows of the embedding: more than the tokenizer has
CONFIG: dict[str, Any] = {
    "architectures": ["Grok1ForCausalLM"],
    "model_type": "git",
    "vocab_size": VOCAB,
    "hidden_size": 64,
    "intermediate_size": 96,
    "moe_intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "residual_moe": True,
    "max_position_embeddings": 256,
    "embedding_multiplier_scale": 8.0,
    "output_multiplier_scale": 0.5,
    "attn_logit_softcapping": 30.0,
    "router_logit_softcapping": 30.0,
    "final_logit_softcapping": 50,
    "attn_temperature_len": 16,
    "rope_theta": 208533496,
    "rope_type": "original",
    "scaling_factor": 16.0,
    "original_max_position_embeddings": 16,
    "sliding_window_size": -1,
    "rms_norm_eps": 1e-05,
    "torch_dtype": "bfloat16",
}
# (number of the release's file, name within a layer or whole name)
COMMON = (
    (0, "model.embed_tokens"),
    (1, "lm_head"),
    (2, "model.norm"),
    (3, "mlp.gate_proj"),
    (4, "mlp.down_proj"),
    (5, "mlp.up_proj"),
    (9, "self_attn.k_proj"),
    (10, "self_attn.o_proj"),
    (11, "self_attn.q_proj"),
    (12, "self_attn.v_proj"),
    (13, "pre_attn_norm"),
    (14, "post_attn_norm"),
    (15, "pre_moe_norm"),
    (16, "post_moe_norm"),
    (17, "block_sparse_moe.gate"),
)
EXPERTS = ((6, "w1", 0), (7, "w2", 1), (8, "w3", 0))  # number, name, dimension that is divided


def make_weights(seed: int = 1) -> dict[str, np.ndarray]:
    """Seeded weights under the release's names, large enough that every cap bends something."""
    random = np.random.default_rng(seed)
    h, dense, inner = (CONFIG[f"{name}_size"] for name in ("hidden", "intermediate", "moe_intermediate"))

    def matrix(out: int, inputs: int, gain: float = 1.0) -> np.ndarray:
        return (random.standard_normal((out, inputs)) * gain / np.sqrt(inputs)).astype(np.float32)

    def scale() -> np.ndarray:
        return random.uniform(0.5, 1.5, h).astype(np.float32)

    made = {"model.embed_tokens.weight": matrix(VOCAB, h, 2.0), "lm_head.weight": matrix(VOCAB, h, 60.0)}
    made["model.norm.weight"] = scale()
    for layer in range(CONFIG["num_hidden_layers"]):
        start = f"model.layers.{layer}"
        attention = {"q": (64, h, 4.0), "k": (32, h, 4.0), "v": (32, h, 1.0), "o": (h, 64, 1.0)}
        made |= {f"{start}.self_attn.{name}_proj.weight": matrix(*size) for name, size in attention.items()}
        made[f"{start}.mlp.gate_proj.weight"] = matrix(dense, h)
        made[f"{start}.mlp.up_proj.weight"] = matrix(dense, h)
        made[f"{start}.mlp.down_proj.weight"] = matrix(h, dense)
        made[f"{start}.block_sparse_moe.gate.weight"] = matrix(8, h, 12.0)
        for e in range(8):
            expert = f"{start}.block_sparse_moe.experts.{e}"
            made[f"{expert}.w1.weight"] = matrix(inner, h)
            made[f"{expert}.w3.weight"] = matrix(inner, h)
            made[f"{expert}.w2.weight"] = matrix(h, inner)
        made |= {
            f"{start}.{name}_norm.weight": scale()
            for name in ("pre_attn", "post_attn", "pre_moe", "post_moe")
        }
    return made


def make_folder(folder: Path, weights: Mapping[str, np.ndarray], **changes: Any) -> Path:
    """Writes config.json (with `changes`), xAI's tokenizer file and the weights as the release has them."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG | changes))
    (folder / "tokenizer.tok.json").write_text(json.dumps(tokenizer_file()))
    tensors = {name: torch.from_numpy(tensor) for name, tensor in weights.items()}
    for number, part in COMMON:
        chosen = {name: one for name, one in tensors.items() if name.endswith(f"{part}.weight")}
        if part == "model.norm":
            chosen = {"model.norm.weight": tensors["model.norm.weight"]}
        save_file(chosen, folder / f"pytorch_model-{number:05}-TP-common.safetensors")
    for number, part, axis in EXPERTS:
        whole = {name: one for name, one in tensors.items() if name.endswith(f".{part}.weight")}
        for rank in range(RANKS):
            own = {name: one.chunk(RANKS, axis)[rank].contiguous() for name, one in whole.items()}
            save_file(own, folder / f"pytorch_model-{number:05}-TP-{rank:03}.safetensors")
    return folder


def tokenizer_file() -> dict[str, Any]:
    pieces = [bytes([byte]) for byte in range(256)] + MERGED
    return {
        "word_split": "V1",
        "regular_tokens": [{"bytes": list(piece), "token": i} for i, piece in enumerate(pieces)],
        "special_tokens": [
            {"bytes": list(text.encode()), "token": len(pieces) + i} for i, text in enumerate(SPECIAL)
        ],
    }
