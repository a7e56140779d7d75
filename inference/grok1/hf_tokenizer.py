"""Grok-1's tokenizer for code written against transformers; the service itself uses `tokenizer.py`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from transformers.tokenization_python import PreTrainedTokenizer

from inference.grok1.tokenizer import ChatTokenizer, load_tokenizer

# For the eye, and for code that asks for the text of a prompt: in it a typed "<|separator|>" looks like the
# mark. The ids do not come from this text but from `ChatTokenizer.render_chat`, where it stays text.
CHAT_TEMPLATES = {
    "demo": (
        "{%- set marks = {'user': '<|control1|>', 'assistant': '<|control2|>', 'system': '<|control3|>'} -%}"
        "[BOS]{%- for message in messages -%}"
        "{{ marks[message['role']] + message['content'] + '<|separator|>' }}{%- endfor -%}"
        "{%- if add_generation_prompt -%}<|control2|>{%- endif -%}"
    ),
    "grok1": (
        "{%- set words = {'user': 'Human', 'assistant': 'Assistant', 'system': 'System'} -%}"
        "{%- for message in messages -%}"
        "{{ '' if loop.first else '\\n\\n' }}{{ words[message['role']] + ': ' + message['content'] }}"
        "{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{ '\\n\\nAssistant:' }}{%- endif -%}"
    ),
}


class Grok1Tokenizer(PreTrainedTokenizer):
    """Adds no ids of its own to a text, and like `ChatTokenizer.encode` never makes a control id from one."""

    vocab_files_names = {"vocab_file": "tokenizer.model"}
    model_input_names = ["input_ids", "attention_mask"]

    def __init__(self, vocab_file: str, template: str | None = None, **kwargs: Any) -> None:
        """`template` is "demo" or "grok1"; without one, the folder's grokweb.json says."""
        self.vocab_file = vocab_file
        file = Path(vocab_file)
        if template is None and file.name == "tokenizer.model":
            self.inner = load_tokenizer(file.parent)
        else:
            self.inner = ChatTokenizer(file, template or "grok1")
        kwargs.setdefault("padding_side", "left")
        kwargs.setdefault("chat_template", CHAT_TEMPLATES[self.inner.template])
        # A typed "[EOS]" is text: never look for special pieces in what people write.
        kwargs["split_special_tokens"] = True
        kwargs["special_tokens_pattern"] = "none"
        names = {"pad_token": "[PAD]", "bos_token": "[BOS]", "eos_token": "[EOS]", "unk_token": "[UNK]"}
        super().__init__(template=self.inner.template, **{**kwargs, **names})  # type: ignore[no-untyped-call]

    @property
    def vocab_size(self) -> int:
        return self.inner.vocab_size

    def get_vocab(self) -> dict[str, int]:
        return {self.inner.pieces.id_to_piece(i): i for i in range(self.vocab_size)}

    def tokenize(self, text: str, **_: Any) -> list[str]:  # type: ignore[override]
        """Returns pieces; typed text stays text, whatever `split_special_tokens` a caller passes."""
        return self._tokenize(text)

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        return [self.inner.pieces.id_to_piece(i) for i in self.inner.encode(text)]

    def _convert_token_to_id(self, token: str) -> int:
        return int(self.inner.pieces.piece_to_id(token))

    def _convert_id_to_token(self, index: int) -> str:
        return str(self.inner.pieces.id_to_piece(index))

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return self.inner.decode([self._convert_token_to_id(token) for token in tokens])

    def apply_chat_template(self, conversation: Any, tools: Any = None, **options: Any) -> Any:  # type: ignore[override]
        """Returns the ids of `ChatTokenizer.render_chat`; transformers renders text and other templates.

        The model knows neither tools nor documents; a message of an unknown role raises ValueError, as does
        asking to continue the last one.
        """
        options["tools"] = tools
        if not options.get("tokenize", True) or options.get("chat_template") is not None:
            return super().apply_chat_template(conversation, **options)
        for name in ("tools", "documents", "continue_final_message", "return_assistant_tokens_mask"):
            if options.get(name):
                raise ValueError(f"Grok-1's chat template has no {name}")
        batched = bool(conversation) and isinstance(conversation[0], list | tuple)
        begin_reply = bool(options.get("add_generation_prompt", False))
        chats = conversation if batched else [conversation]
        ids = [self.inner.render_chat(chat, begin_reply=begin_reply) for chat in chats]
        if options.get("truncation"):
            n = options.get("max_length") or self.model_max_length
            ids = [one[:n] if self.truncation_side == "right" else one[-n:] for one in ids]
        names = ("padding", "max_length", "return_tensors")
        how = {"padding": False} | {name: options[name] for name in names if name in options}
        given: Any = {"input_ids": ids if batched or how.get("return_tensors") else ids[0]}
        out = self.pad(given, **how)
        return out if options.get("return_dict", True) else out["input_ids"]

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        target = Path(save_directory) / f"{prefix}tokenizer.model"
        if target.resolve() != Path(self.vocab_file).resolve():
            shutil.copyfile(self.vocab_file, target)
        return (str(target),)
