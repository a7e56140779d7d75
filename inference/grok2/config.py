"""The constants of a Grok-2 network under the release's names; the defaults are the release's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers.configuration_utils import PreTrainedConfig

from inference.model_dir.grok2_tensors import FACTORS, WHOLE_NUMBERS, check_config
from inference.model_dir.headers import json_object

OPTIONAL = ("attn_temperature_len", "bos_token_id", "eos_token_id", "pad_token_id")


class Grok2Config(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """Sizes and multipliers; `Grok2Config()` describes the released model of 270 billion parameters."""

    model_type = "grok2"
    keys_to_ignore_at_inference = ["past_key_values"]

    vocab_size: int = 131_072
    hidden_size: int = 8_192
    intermediate_size: int = 32_768  # of the dense network
    moe_intermediate_size: int = 16_384  # of one expert
    num_hidden_layers: int = 64
    num_attention_heads: int = 64
    num_key_value_heads: int = 8
    head_dim: int = 128
    num_local_experts: int = 8
    num_experts_per_tok: int = 2
    max_position_embeddings: int = 131_072
    embedding_multiplier_scale: float = 90.50966799187809  # sqrt(8192)
    output_multiplier_scale: float = 0.5
    attn_logit_softcapping: float = 30.0
    router_logit_softcapping: float = 30.0
    final_logit_softcapping: float = 50.0
    attn_temperature_len: int | None = 1_024  # None, 0 or below: no temperature
    rms_norm_eps: float = 1e-5
    rope_theta: float = 208_533_496.0
    use_cache: bool = True
    pad_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    tie_word_embeddings: bool = False


def load_config(path: Path) -> Grok2Config:
    """Reads config.json of a folder; ModelUnusable says what in it cannot be used.

    transformers' AutoConfig would read it as another network: the release's model_type is "git", the name of
    a model for pictures.
    """
    given = json_object(path / "config.json")
    check_config(given, path)
    read: dict[str, Any] = {name: given[name] for name in (*WHOLE_NUMBERS, *FACTORS)}
    read |= {name: given.get(name) for name in OPTIONAL}
    for name in FACTORS:
        read[name] = float(read[name])
    return Grok2Config(**read, architectures=["Grok2ForCausalLM"])
