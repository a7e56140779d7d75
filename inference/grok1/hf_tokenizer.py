"""The same tokenizer for code written against transformers; the service itself uses `tokenizer.py` alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from transformers.tokenization_python import PreTrainedTokenizer

from inference.grok1.tokenizer import ChatTokenizer


class Grok1Tokenizer(PreTrainedTokenizer):
    """Adds no ids of its own to a text, and like `ChatTokenizer.encode` never makes a control id from one."""

    vocab_files_names = {"vocab_file": "tokenizer.model"}
    model_input_names = ["input_ids", "attention_mask"]

    def __init__(self, vocab_file: str, **kwargs: Any) -> None:
        self.vocab_file = vocab_file
        self.inner = ChatTokenizer(Path(vocab_file))
        kwargs.setdefault("padding_side", "left")
        # A typed "[EOS]" is text: never look for special pieces in what people write.
        kwargs["split_special_tokens"] = True
        kwargs["special_tokens_pattern"] = "none"
        names = {"pad_token": "[PAD]", "bos_token": "[BOS]", "eos_token": "[EOS]", "unk_token": "[UNK]"}
        super().__init__(**{**kwargs, **names})  # type: ignore[no-untyped-call]

    @property
    def vocab_size(self) -> int:
        return self.inner.vocab_size

    def get_vocab(self) -> dict[str, int]:
        return {self.inner.pieces.id_to_piece(i): i for i in range(self.vocab_size)}

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        return [self.inner.pieces.id_to_piece(i) for i in self.inner.encode(text)]

    def _convert_token_to_id(self, token: str) -> int:
        return int(self.inner.pieces.piece_to_id(token))

    def _convert_id_to_token(self, index: int) -> str:
        return str(self.inner.pieces.id_to_piece(index))

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return self.inner.decode([self._convert_token_to_id(token) for token in tokens])

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        target = Path(save_directory) / f"{prefix}tokenizer.model"
        if target.resolve() != Path(self.vocab_file).resolve():
            shutil.copyfile(self.vocab_file, target)
        return (str(target),)
