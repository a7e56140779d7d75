"""The tokenizer of a transformers folder as the scheduler wants it: exact bytes, a chat template, no forgery.

What people type never becomes a control id. A template's text is tokenised together with theirs, as the model
was trained, unless that yields other control ids than the template alone has: then their part is tokenised by
itself, where a typed "<|im_end|>" is spelled out.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from transformers import AutoTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from inference.modelfiles import ModelUnusable
from inference.text.alternate import alternate

SPACE = "\u2581"  # how SentencePiece writes a space inside a piece
BYTE = re.compile(r"<0x([0-9A-F]{2})>")
ROLE_WORD = {"user": "Human", "assistant": "Assistant", "system": "System"}
Message = dict[str, str]


class StockTokenizer:
    """One tokenizer of the `tokenizers` library: byte-level BPE, or SentencePiece's spaces and bytes."""

    def __init__(self, path: Path, vocab_size: int) -> None:
        """`vocab_size`: rows of the network's embedding, often more than the tokenizer has."""
        try:
            self.inner: Any = AutoTokenizer.from_pretrained(
                path, local_files_only=True, trust_remote_code=False
            )
            if not self.inner.is_fast:
                raise ValueError("it is none of the tokenizers library")
            described = json.loads(self.inner.backend_tokenizer.to_str())
        except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
            raise ModelUnusable(
                f"the tokenizer in {path} cannot be loaded: {str(error).splitlines()[0]}"
            ) from error
        added = self.inner.added_tokens_decoder
        self.control = frozenset(self.inner.all_special_ids) | {i for i, one in added.items() if one.special}
        self.stop_ids = frozenset(_stop_ids(path, self.inner.eos_token_id))
        pieces = self.inner.convert_ids_to_tokens(list(range(vocab_size)))
        self._bytes = _Spelling(described.get("decoder"), path)
        self._pieces = [
            b"" if piece is None or i in self.control else self._bytes.of(piece, raw=i in added)
            for i, piece in enumerate(pieces)
        ]
        unused = {i for i, piece in enumerate(pieces) if piece is None}
        self.never_sample = (self.control | unused) - self.stop_ids
        self._start = [i for i in self.inner("").input_ids if i == self.inner.bos_token_id]
        # Without a template a conversation is a transcript, as for base Grok-1.
        self.stop_strings = () if self.inner.chat_template else ("\n\nHuman:", "\nHuman:", "\n\nSystem:")

    def piece_bytes(self, token: int, first: bool = False) -> bytes:
        """The exact bytes one id adds; `first` as long as nothing visible came before (see ChatTokenizer)."""
        piece = self._pieces[token]
        return piece[1:] if first and self._bytes.hides_first_space and piece[:1] == b" " else piece

    def encode(self, text: str) -> list[int]:
        """A person's text -> ids, no control id among them."""
        text = text.encode("utf-8", "replace").decode()  # a lone surrogate (possible in JSON) is no text
        ids = self._ids(text, split=True)
        if self.control.isdisjoint(ids):
            return ids
        # The vocabulary itself spells a control piece: letter by letter nothing joins into one.
        return [i for letter in text for i in self._ids(letter, split=True) if i not in self.control]

    def render_chat(self, messages: Sequence[Message], *, go_on: bool = False) -> list[int]:
        """A conversation -> the ids of the prompt whose continuation is the next answer, or, with
        `go_on`, the rest of the last one.
        """
        for message in messages:
            if message.get("role") not in ROLE_WORD:
                raise ValueError(f"unknown role {message.get('role')!r}; roles are {', '.join(ROLE_WORD)}")
        if not self.inner.chat_template:
            turns = [f"{ROLE_WORD[message['role']]}: {message['content']}" for message in messages]
            return self._start + self.encode("\n\n".join(turns if go_on else [*turns, "Assistant:"]))
        return self._render_or_adapt(messages, go_on)

    def _render_or_adapt(self, messages: Sequence[Message], go_on: bool) -> list[int]:
        """Renders what the template accepts: the messages, else in strict alternation, else without a system
        message, whose text the first question carries then.
        """
        try:
            return self._render_or_append(messages, go_on)
        except TemplateError:
            ordered = alternate(messages)
            for adapted in (ordered, _without_system(ordered)):
                with suppress(TemplateError):
                    return self._render_or_append(adapted, go_on)
            raise

    def _render_or_append(self, messages: Sequence[Message], go_on: bool) -> list[int]:
        """Appends an answer to continue to the prompt for a new one, where the template itself would change
        its words (Qwen3's and DeepSeek's leave the reasoning out) or accepts none at the end.
        """
        try:
            return self._render(messages, go_on)
        except (ValueError, TemplateError):  # ValueError: the answer is not in the rendered text
            if not go_on:
                raise
            return self._render(messages[:-1], False) + self.encode(messages[-1]["content"])

    def _render(self, messages: Sequence[Message], go_on: bool) -> list[int]:
        nonce = secrets.token_hex(8)
        marks = {f"{nonce}x{i}x": message["content"] for i, message in enumerate(messages)}
        marked = [{**message, "content": mark} for message, mark in zip(messages, marks, strict=True)]
        apart: list[int] = []
        own: list[int] = []  # the control ids that the template itself writes
        for part in re.split(f"({nonce}x[0-9]+x)", self._template(marked, go_on)):
            if part in marks:
                apart += self.encode(marks[part])
            elif part:
                ids = self._ids(part, split=False)
                apart += ids
                own += self._controls(ids)
        together = self._ids(self._template(messages, go_on), split=False)
        return together if self._controls(together) == own else apart

    def _template(self, messages: Sequence[Message], go_on: bool) -> str:
        text: str = self.inner.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=not go_on, continue_final_message=go_on
        )
        return text.encode("utf-8", "replace").decode()

    def _controls(self, ids: Iterable[int]) -> list[int]:
        return [i for i in ids if i in self.control]

    def _ids(self, text: str, *, split: bool) -> list[int]:
        ids: list[int] = self.inner(
            text, add_special_tokens=False, split_special_tokens=split, verbose=False
        ).input_ids
        return ids


class _Spelling:
    """How pieces of a vocabulary stand for bytes; read from tokenizer.json's decoder."""

    def __init__(self, decoder: dict[str, Any] | None, path: Path) -> None:
        steps = (decoder or {}).get("decoders") or [decoder or {}]
        kinds = {step.get("type") for step in steps}
        self._letters: dict[str, int] = {}
        self.hides_first_space = False
        if "ByteLevel" in kinds:
            self._letters = {letter: byte for byte, letter in bytes_to_unicode().items()}  # type: ignore[no-untyped-call]
        elif kinds & {"ByteFallback", "Metaspace"}:
            self.hides_first_space = any(
                (step.get("type") == "Strip" and step.get("content") == " " and step.get("start", 0) > 0)
                or (step.get("type") == "Metaspace" and step.get("prepend_scheme") != "never")
                for step in steps
            )
        else:
            named = ", ".join(sorted(str(kind) for kind in kinds))
            raise ModelUnusable(f"the tokenizer in {path} decodes in a way unknown here: {named}")

    def of(self, piece: str, *, raw: bool) -> bytes:
        """`raw`: a piece added to the vocabulary later, which is written as it is."""
        if raw:
            return piece.encode()
        if self._letters:
            return b"".join(
                bytes([self._letters[letter]]) if letter in self._letters else letter.encode()
                for letter in piece
            )
        byte = BYTE.fullmatch(piece)
        return bytes([int(byte[1], 16)]) if byte else piece.replace(SPACE, " ").encode()


def _stop_ids(path: Path, own: int | None) -> set[int]:
    """The tokenizer's end of text, and what config.json and generation_config.json call the end."""
    found = set() if own is None else {own}
    for name in ("config.json", "generation_config.json"):
        if (path / name).is_file():
            given = json.loads((path / name).read_text()).get("eos_token_id")
            found |= set(given) if isinstance(given, list) else {given} - {None}
    return found


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """The system messages put before the first question."""
    system = [message["content"] for message in messages if message["role"] == "system"]
    talk = [message for message in messages if message["role"] != "system"]
    if system and talk and talk[0]["role"] == "user":
        talk[0] = {"role": "user", "content": "\n\n".join([*system, talk[0]["content"]])}
    return talk
