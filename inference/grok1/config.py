"""The constants of a Grok-1 network, under transformers' names; the defaults are the release's."""

from __future__ import annotations

from typing import Any, ClassVar

from transformers.configuration_utils import PreTrainedConfig

from inference.grok1.xai_names import FROM_XAI, expert_width


class Grok1Config(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """Sizes and multipliers; `Grok1Config()` describes the released 314-billion-parameter model."""

    model_type = "grok1"
    keys_to_ignore_at_inference = ["past_key_values"]
    attribute_map = {"num_experts": "num_local_experts"}

    # How transformers' `DistributedConfig` shares the network out. Router and norms are whole on every rank,
    # and so is the embedding, which the logits use as one matrix. tp_size: each rank has some heads, and a
    # slice of the inner width of every expert ("packed": its part of gate and its part of up). ep_size: whole
    # experts.
    base_model_tp_plan: ClassVar[Any] = {
        "embed_tokens": "replicate",
        "layers.*.self_attn.q_proj": "colwise",
        "layers.*.self_attn.k_proj": "colwise",
        "layers.*.self_attn.v_proj": "colwise",
        "layers.*.self_attn.o_proj": "rowwise",
        "layers.*.moe.experts.gate_up_proj": "packed_colwise",
        "layers.*.moe.experts.down_proj": "rowwise",
        "layers.*.moe.experts": "moe_tp_experts",
    }
    base_model_ep_plan: ClassVar[Any] = {
        "layers.*.moe.experts.gate_up_proj": "grouped_gemm",
        "layers.*.moe.experts.down_proj": "grouped_gemm",
        "layers.*.moe.experts": "ep_dispatch_experts",
    }

    vocab_size: int = 131_072
    hidden_size: int = 6_144
    intermediate_size: int = 32_768  # expert_width(8, 6144)
    num_hidden_layers: int = 64
    num_attention_heads: int = 48
    num_key_value_heads: int = 8
    head_dim: int = 128  # heads * head_dim need not equal hidden_size
    hidden_act: str = "gelu_pytorch_tanh"
    num_local_experts: int = 8
    num_experts_per_tok: int = 2
    max_position_embeddings: int = 8_192
    embedding_multiplier: float = 78.38367176906169  # sqrt(6144)
    output_multiplier: float = 0.5773502691896257  # 1 / sqrt(3)
    attention_multiplier: float = 0.08838834764831845  # 1 / sqrt(128)
    attn_logit_softcap: float = 30.0
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10_000.0
    initializer_range: float = 0.02
    use_cache: bool = True
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | list[int] | None = 2
    tie_word_embeddings: bool = True  # the one embedding reads and writes; there is no separate head

    @classmethod
    def from_xai(cls, constants: dict[str, Any], **extra: Any) -> Grok1Config:
        """Build from xAI's key names; unknown keys are left out, missing ones keep the release's value."""
        ours = {FROM_XAI[key]: value for key, value in constants.items() if key in FROM_XAI}
        if "emb_size" in constants or "widening_factor" in constants:
            width = expert_width(constants.get("widening_factor", 8), constants.get("emb_size", 6_144))
            ours["intermediate_size"] = width
        return cls(**(ours | extra))
