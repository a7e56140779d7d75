"""The constants of a Grok-1 network in xAI's own code, and their names in transformers. Standard library."""

from __future__ import annotations

FROM_XAI = {
    "emb_size": "hidden_size",
    "num_layers": "num_hidden_layers",
    "num_q_heads": "num_attention_heads",
    "num_kv_heads": "num_key_value_heads",
    "key_size": "head_dim",
    "vocab_size": "vocab_size",
    "sequence_len": "max_position_embeddings",
    "num_experts": "num_local_experts",
    "num_selected_experts": "num_experts_per_tok",
    "embedding_multiplier_scale": "embedding_multiplier",
    "output_multiplier_scale": "output_multiplier",
    "attn_output_multiplier": "attention_multiplier",
    "attn_logit_softcap": "attn_logit_softcap",
    "rms_norm_eps": "rms_norm_eps",
    "rope_base": "rope_theta",
    "pad_token_id": "pad_token_id",
    "bos_token_id": "bos_token_id",
    "eos_token_id": "eos_token_id",
}


def expert_width(widening_factor: float, emb_size: int) -> int:
    """Returns inner width of one expert: two thirds of the widened width, rounded up to a multiple of 8."""
    width = int(widening_factor * emb_size) * 2 // 3
    return width + (8 - width) % 8
