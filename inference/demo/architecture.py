"""Defines the configuration of the demo model, and trains its tokenizer."""

from __future__ import annotations

import math
from pathlib import Path

import sentencepiece

from inference.grok1.config import Grok1Config

VOCABULARY = 4096
CONTEXT = 1024


def demo_config() -> Grok1Config:
    """Returns a configuration of 4.9 million parameters, in the proportions of the release where possible."""
    hidden, head = 192, 32
    return Grok1Config(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        intermediate_size=128,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=head,
        max_position_embeddings=CONTEXT,
        embedding_multiplier=math.sqrt(hidden),
        attention_multiplier=1 / math.sqrt(head),
        architectures=["Grok1ForCausalLM"],
        dtype="bfloat16",
    )


def train_tokenizer(texts: list[str], out: Path) -> None:
    """Trains SentencePiece with the same special ids as the release (see grok1/tokenizer.py)."""
    special = ["\n" * n for n in range(1, 11)] + list("0123456789") + ["\t" * n for n in range(1, 9)]
    special += [" " * n for n in range(2, 17)] + ["<|separator|>", "<|mask|>"]
    special += [f"<|control{n}|>" for n in range(1, 21)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_prefix=str(out / "tokenizer"),
        model_type="bpe",
        vocab_size=VOCABULARY,
        user_defined_symbols=special,
        pad_id=0,
        bos_id=1,
        eos_id=2,
        unk_id=3,
        pad_piece="[PAD]",
        bos_piece="[BOS]",
        eos_piece="[EOS]",
        unk_piece="[UNK]",
        unk_surface="[UNK]",
        byte_fallback=True,
        split_digits=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        required_chars="".join(chr(c) for c in range(33, 127) if not chr(c).isdigit()),
        num_threads=1,
        minloglevel=2,
    )
    (out / "tokenizer.vocab").unlink()
