"""Makes tiny model folders as transformers saves them, and breaks them as people's folders are broken."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

VOCAB = 408  # rows of the embedding: padded beyond the tokenizer, as those of real models
PLAIN = (
    "{% for m in messages %}<|a|>{{ m['role'] }}\n{{ m['content'] }}<|z|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|a|>assistant\n{% endif %}"
)
SIZES = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 3,
    "pad_token_id": None,
    "initializer_range": 0.3,  # loud enough that the next token is never a near tie
}
KINDS: dict[str, dict[str, Any]] = {
    "olmoe": {"num_experts": 4, "num_experts_per_tok": 2},
    "mixtral": {"num_local_experts": 4},
    "qwen2_moe": {
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 24,
        "shared_expert_intermediate_size": 24,
    },
    "qwen3_moe": {"head_dim": 8, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24},
    "granitemoe": {"num_local_experts": 4, "logits_scaling": 2.0},
}


def make_folder(
    folder: Path,
    kind: str = "olmoe",
    template: str | None = PLAIN,
    added: Sequence[str] = (),
    sizes: Mapping[str, Any] | None = None,
) -> Path:
    """Saves a model with seeded weights and a byte-level tokenizer; `sizes` as in KINDS."""
    torch.manual_seed(7)
    config = AutoConfig.for_model(kind, **SIZES | dict(KINDS[kind] if sizes is None else sizes))
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=byte_level(),
        bos_token="<s>",
        eos_token="<|z|>",
        additional_special_tokens=["<|a|>"],
    )
    if added:
        tokenizer.add_tokens(list(added))
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return folder


def byte_level() -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(
        ["one two three and some more words"],
        trainers.BpeTrainer(
            vocab_size=VOCAB - 8,
            show_progress=False,
            special_tokens=["<s>", "</s>", "<|a|>", "<|z|>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    return made


def change_json(folder: Path, name: str = "config.json", **changes: Any) -> None:
    file = folder / name
    fields = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(fields | changes))


def change_weights(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    file = folder / "model.safetensors"
    save_file(change(load_file(file)), file, {"format": "pt"})


def relabel(folder: Path, part: str, dtype: str, shape: list[int]) -> None:
    """Says in the header that the first tensor with `part` in its name has another dtype."""
    file = folder / "model.safetensors"
    raw = file.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    header[next(name for name in header if part in name)] |= {"dtype": dtype, "shape": shape}
    encoded = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(encoded)) + encoded + raw[8 + length :])
