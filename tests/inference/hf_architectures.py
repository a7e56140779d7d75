"""Tiny configurations of the architectures that are checked, with windows that a short text leaves."""

from __future__ import annotations

from typing import Any

from tests.inference.hf_folders import KINDS, VOCAB

LATENTS: dict[str, Any] = {
    "q_lora_rank": 16,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "num_key_value_heads": 4,
}
ROUTED: dict[str, Any] = {"n_routed_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
DELTA: dict[str, Any] = {
    "head_dim": 8,
    "num_hidden_layers": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 8,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
}
STATE: dict[str, Any] = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1}
WINDOW: dict[str, Any] = {"sliding_window": 8}
TOGETHER: dict[str, dict[str, Any]] = {
    **KINDS,
    "mixtral": KINDS["mixtral"] | WINDOW,
    "granitemoeshared": {"num_local_experts": 4, "shared_intermediate_size": 24},
    "gpt_oss": {
        **WINDOW,
        "num_local_experts": 4,
        "head_dim": 8,
        "intermediate_size": 64,
        "layer_types": ["sliding_attention", "full_attention"],
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
    },
    "deepseek_v2": {
        **LATENTS,
        **ROUTED,
        "first_k_dense_replace": 1,
        "n_shared_experts": 1,
        "n_group": None,
        "topk_group": None,
        "topk_method": "greedy",
    },
    "deepseek_v3": {**LATENTS, **ROUTED, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1},
    "glm4_moe": {**ROUTED, "first_k_dense_replace": 1, "head_dim": 8, "n_group": 1, "topk_group": 1},
    "glm4_moe_lite": {**LATENTS, **ROUTED, "first_k_dense_replace": 1, "n_group": 1, "topk_group": 1},
    "minimax_m2": {"num_local_experts": 4, "num_experts_per_tok": 2, "head_dim": 8},
    "phimoe": {**WINDOW, "num_local_experts": 4},
    "ernie4_5_moe": {"moe_num_experts": 4, "moe_k": 2, "moe_intermediate_size": 24},
    "llama": {},
    "qwen2": {},
    "qwen3": {"head_dim": 8},
    "mistral": WINDOW,
    "ministral3": {"head_dim": 8},
    "gemma": {"head_dim": 8},
    "gemma2": {**WINDOW, "head_dim": 8, "query_pre_attn_scalar": 8},
    "gemma3_text": {**WINDOW, "head_dim": 8, "query_pre_attn_scalar": 8, "num_hidden_layers": 7},
    "gemma4_text": {
        **WINDOW,
        "head_dim": 8,
        "global_head_dim": 8,
        "num_hidden_layers": 6,
        "hidden_size_per_layer_input": 0,
        "vocab_size_per_layer_input": VOCAB,
        "num_kv_shared_layers": 0,
    },
    "phi3": WINDOW,
    "granite": {},
    "olmo2": {},
    "olmo3": {**WINDOW, "num_hidden_layers": 4},
    "cohere2": {**WINDOW, "head_dim": 8, "num_hidden_layers": 4},
    "smollm3": {},
    "exaone4": {**WINDOW, "num_hidden_layers": 4},
    "gpt2": {"n_embd": 32, "n_head": 4, "n_layer": 2, "n_positions": 256},
    "gpt_neox": {},
    "starcoder2": {},
    "stablelm": {},
}
IN_TURN: dict[str, dict[str, Any]] = {
    "llama4_text": {
        "num_local_experts": 4,
        "head_dim": 8,
        "intermediate_size_mlp": 48,
        "attention_chunk_size": 8,
        "num_hidden_layers": 4,
        "floor_scale": 4,
    },
    "bloom": {"n_head": 4, "n_layer": 2},
}
APART: dict[str, dict[str, Any]] = {
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 1},
    "bamba": {**STATE, "attn_layer_indices": [1]},
    "granitemoehybrid": {
        **STATE,
        "num_local_experts": 4,
        "shared_intermediate_size": 24,
        "layer_types": ["mamba", "attention"],
    },
    "qwen3_next": {
        **DELTA,
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 24,
        "shared_expert_intermediate_size": 24,
    },
    "qwen3_5_moe_text": {
        **DELTA,
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 24,
        "shared_expert_intermediate_size": 24,
    },
    "lfm2": {"num_hidden_layers": 4, "full_attn_idxs": [1]},
}
