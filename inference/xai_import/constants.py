"""The constants of a Grok-1 network in xAI's names, and the config.json they become. Standard library."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.grok1.xai_names import FROM_XAI, expert_width

# What xAI's own code says of the release; `config.json` beside a raw checkpoint has the same keys.
RELEASE: dict[str, int | float] = {
    "emb_size": 6_144,
    "num_layers": 64,
    "num_q_heads": 48,
    "num_kv_heads": 8,
    "key_size": 128,
    "vocab_size": 131_072,
    "sequence_len": 8_192,
    "widening_factor": 8,
    "num_experts": 8,
    "num_selected_experts": 2,
    "embedding_multiplier_scale": 78.38367176906169,
    "output_multiplier_scale": 0.5773502691896257,
    "attn_output_multiplier": 0.08838834764831845,
    "attn_logit_softcap": 30.0,
    "rms_norm_eps": 1e-5,
    "rope_base": 10_000,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "scale_groups": 8,  # rows of scales of the two matrices that xAI split by rows over its devices
}

COUNTS = (
    "emb_size",
    "num_layers",
    "num_q_heads",
    "num_kv_heads",
    "key_size",
    "vocab_size",
    "sequence_len",
    "num_experts",
    "num_selected_experts",
    "scale_groups",
)
MOST = 2**24  # of any size; limits the memory that an absurd file can demand
MOST_LAYERS = 8_000  # file names have five digits
LONGEST_CONFIG = 65_536  # bytes


class UnusableConstants(ValueError):
    """Raised when a `--config` file cannot be used. The message is one line."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes that determine the shapes of the release."""

    layers: int
    hidden: int
    inner: int  # of one expert
    wide: int  # all query heads together
    narrow: int  # all key heads together
    experts: int
    vocab: int
    groups: int

    @classmethod
    def of(cls, constants: dict[str, Any]) -> Sizes:
        """Returns sizes; missing constants have the release's value. Raises UnusableConstants."""
        all_of_them = RELEASE | constants
        for key in COUNTS:
            value, most = all_of_them[key], MOST_LAYERS if key == "num_layers" else MOST
            if type(value) is not int or not 1 <= value <= most:
                raise UnusableConstants(f"{key} must be a whole number from 1 to {most:,}")
        for key in FROM_XAI.keys() - set(COUNTS) | {"widening_factor"}:
            value = all_of_them[key]
            if type(value) not in (int, float) or not math.isfinite(value) or not 0 <= value <= MOST:
                raise UnusableConstants(f"{key} must be a number from 0 to {MOST:,}")
        sizes = cls(
            layers=all_of_them["num_layers"],
            hidden=all_of_them["emb_size"],
            inner=expert_width(all_of_them["widening_factor"], all_of_them["emb_size"]),
            wide=all_of_them["num_q_heads"] * all_of_them["key_size"],
            narrow=all_of_them["num_kv_heads"] * all_of_them["key_size"],
            experts=all_of_them["num_experts"],
            vocab=all_of_them["vocab_size"],
            groups=all_of_them["scale_groups"],
        )
        if sizes.inner < 1 or sizes.wide % sizes.groups or sizes.inner % sizes.groups:
            raise UnusableConstants(
                f"scale_groups {sizes.groups} must divide num_q_heads * key_size and the experts' inner width"
            )
        return sizes


def read_constants(file: Path) -> dict[str, Any]:
    """Reads a `--config` file; ignores keys that are no constants. Raises UnusableConstants."""
    try:
        with file.open("rb") as data:
            text = data.read(LONGEST_CONFIG + 1)
        value = json.loads(text) if len(text) <= LONGEST_CONFIG else None
    except OSError as error:
        raise UnusableConstants(f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise UnusableConstants(f"is no JSON object of at most {LONGEST_CONFIG:,} bytes")
    constants = {key: value[key] for key in RELEASE if key in value}
    Sizes.of(constants)
    return constants


def model_config(constants: dict[str, Any], dtype: str) -> dict[str, Any]:
    """Returns the config.json of a model folder: that of `Grok1Config.from_xai`, which a test compares."""
    all_of_them = RELEASE | constants
    config: dict[str, Any] = {ours: all_of_them[key] for key, ours in FROM_XAI.items()}
    config |= {
        "architectures": ["Grok1ForCausalLM"],
        "model_type": "grok1",
        # The dtype into which transformers loads by default. int8 times scale is exact in float32 alone.
        "dtype": "bfloat16" if dtype == "bfloat16" else "float32",
        "hidden_act": "gelu_pytorch_tanh",
        "intermediate_size": Sizes.of(constants).inner,
        "tie_word_embeddings": True,
    }
    if dtype == "int8":
        config["quantization_config"] = {"quant_method": "grokweb_int8"}
    return dict(sorted(config.items()))
