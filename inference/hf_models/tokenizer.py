"""Adapts the tokenizer of a transformers folder: exact bytes, a chat template, no forged control tokens.

What people type never becomes a control id. A template's text is tokenised together with theirs, as the model
was trained, unless that yields other control ids than the template alone has: then their part is tokenised by
itself, where a typed "<|im_end|>" is spelled out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode

from inference.hf_models.template import LEGACY, TRIALS, ChatTemplate, Message
from inference.model_dir.describe import ModelUnusable
from inference.model_dir.headers import first_line, json_object
from inference.text.alternate import alternate
from inference.text.thought_marks import Thinker, marks_of

SPACE = "\u2581"  # how SentencePiece writes a space inside a piece
BYTE = re.compile(r"<0x([0-9A-F]{2})>")
ROLE_WORD = {"user": "Human", "assistant": "Assistant", "system": "System"}


class HfTokenizer:
    """One tokenizer of the `tokenizers` library: byte-level BPE, or SentencePiece's spaces and bytes."""

    def __init__(
        self, path: Path, vocab_size: int, *, inner: Any = None, template: str = "", ends: Iterable[str] = ()
    ) -> None:
        """`vocab_size`: rows of the network's embedding, often more than the tokenizer has.

        `inner`: a tokenizer of transformers for a folder that AutoTokenizer cannot read. `template`: a chat
        template for a folder without one. `ends`: control pieces that end an answer, beside those of the
        folder.

        Raises ModelUnusable, also where the chat template cannot be used or needs ids that the network lacks.
        """
        self.inner = _load(path) if inner is None else inner
        described = json.loads(self.inner.backend_tokenizer.to_str())
        if template and not self.inner.chat_template and not (path / LEGACY).is_file():
            self.inner.chat_template = template
        self._vocab_size = vocab_size
        added = self.inner.added_tokens_decoder
        self.control = frozenset(self.inner.all_special_ids) | {i for i, one in added.items() if one.special}
        named = {str(one): i for i, one in added.items()}
        self.stop_ids = frozenset(
            _stop_ids(path, self.inner.eos_token_id) | {named[one] for one in ends if one in named}
        )
        pieces = self.inner.convert_ids_to_tokens(list(range(vocab_size)))
        self._bytes = _Spelling(described.get("decoder"), path)
        self._pieces = [
            b"" if piece is None or i in self.control else self._bytes.of(piece, raw=i in added)
            for i, piece in enumerate(pieces)
        ]
        unused = {i for i, piece in enumerate(pieces) if piece is None}
        self._start = [i for i in self.inner("").input_ids if i == self.inner.bos_token_id]
        self._template = ChatTemplate(self.inner, path)
        marks = marks_of(self._template.source, [str(one) for one in added.values()])
        names = [(i, str(added[i])) for i in self.control if i in added and i < vocab_size]
        self.thinker = (
            Thinker(marks, self.piece_bytes, names, render=self.render_chat, efforts=self._template.efforts)
            if marks
            else None
        )
        written = self.stop_ids | (self.thinker.control if self.thinker else frozenset())
        self.never_sample = frozenset(i for i in self.control | unused if i < vocab_size) - written
        # Without a template a conversation is a transcript, as for base Grok-1.
        self.stop_strings = () if self._template else ("\n\nHuman:", "\nHuman:", "\n\nSystem:")
        self._check_ids(path)

    def _check_ids(self, path: Path) -> None:
        """Raises ModelUnusable unless prompts are made of ids that the network has."""
        last = self._vocab_size - 1
        own = max(self.inner.backend_tokenizer.get_vocab(with_added_tokens=False).values(), default=0)
        if own > last:
            raise ModelUnusable(
                f"tokenizer.json in {path} has ids up to {own}, the network up to {last}: "
                "they are not of one model"
            )
        for trial in TRIALS:
            if max(self.render_chat(trial), default=0) > last:
                raise ModelUnusable(
                    f"the chat template in {path} needs an id above {last}, the last of the network: "
                    "they are not of one model"
                )

    def piece_bytes(self, token: int, first: bool = False) -> bytes:
        """Returns the exact bytes of one id; `first` while no visible one came before (see ChatTokenizer)."""
        piece = self._pieces[token]
        return piece[1:] if first and self._bytes.hides_first_space and piece[:1] == b" " else piece

    def encode(self, text: str) -> list[int]:
        """Encodes a user's text into ids, without control ids."""
        text = text.encode("utf-8", "replace").decode()  # a lone surrogate (possible in JSON) is no text
        ids = self._ids(text, split=True)
        if not self._controls(ids):
            return ids
        # The vocabulary itself spells a control piece: letter by letter nothing joins into one.
        return [i for letter in text for i in self._ids(letter, split=True) if not self._controls([i])]

    def render_chat(
        self,
        messages: Sequence[Message],
        *,
        continue_last: bool = False,
        effort: str = "",
        thought: str = "",
    ) -> list[int]:
        """Returns the ids of the prompt whose continuation is the next answer.

        With `continue_last` it is the rest of the last answer, which then follows the prompt for a new one:
        that is what the model continued. The template never sees it, because many change its text (they trim
        it, or remove the reasoning). `thought` is an unfinished thought with which the next answer begins.
        """
        for message in messages:
            if message.get("role") not in ROLE_WORD:
                raise ValueError(f"unknown role {message.get('role')!r}; roles are {', '.join(ROLE_WORD)}")
        if not self._template:
            turns = [f"{ROLE_WORD[message['role']]}: {message['content']}" for message in messages]
            return self._start + self.encode("\n\n".join(turns if continue_last else [*turns, "Assistant:"]))
        if not continue_last:
            return self._render(messages, effort=effort, thought=thought) + self.encode(thought)
        *before, begun = messages if len(messages) > 1 else alternate(messages)
        return self._render(before, begun["content"], effort) + self.encode(begun["content"])

    def _render(
        self, messages: Sequence[Message], begun: str = "", effort: str = "", thought: str = ""
    ) -> list[int]:
        marked, text = self._template.accepted(messages, begun, effort)
        follows = self._mark_before(text, begun, thought)
        apart: list[int] = []
        own: list[int] = []  # the control ids that the template itself writes
        for part in marked.split(text + follows):
            if part in marked.contents:
                apart += self.encode(marked.contents[part])
            elif part:
                ids = self._ids(part, split=False)
                apart += ids
                own += self._controls(ids)
        together = self._ids(self._template.text(marked.originals, begun, effort) + follows, split=False)
        return together if self._controls(together) == own else apart

    def _mark_before(self, prompt: str, begun: str, thought: str) -> str:
        """Returns the marks between a prompt for a new answer and what the answer begins with."""
        if self.thinker is None or not (begun or thought):
            return ""
        marks = self.thinker.marks
        return marks.before_text(prompt, begun) if begun else marks.before_thought(prompt)

    def _controls(self, ids: Iterable[int]) -> list[int]:
        """Returns those that no person may write: control ids, and ids that the network lacks."""
        return [i for i in ids if i in self.control or i >= self._vocab_size]

    def _ids(self, text: str, *, split: bool) -> list[int]:
        ids: list[int] = self.inner(
            text, add_special_tokens=False, split_special_tokens=split, verbose=False
        ).input_ids
        return ids


class _Spelling:
    """The mapping from pieces of a vocabulary to bytes, read from tokenizer.json's decoder."""

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


def _load(path: Path) -> Any:
    """Returns the tokenizer of transformers, or raises ModelUnusable."""
    json_object(path / "tokenizer.json")
    try:
        inner: Any = AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        if not inner.is_fast:
            raise ValueError("it is none of the tokenizers library")
        return inner
    except Exception as error:  # the tokenizers library raises plain Exceptions
        raise ModelUnusable(
            f"the tokenizer in {path} (tokenizer.json, tokenizer_config.json) cannot be loaded: "
            f"{first_line(error)}"
        ) from error


def _stop_ids(path: Path, own: int | None) -> set[int]:
    """Returns the tokenizer's end of text, and what config.json and generation_config.json call the end."""
    found = {own}
    for name in ("config.json", "generation_config.json"):
        if (path / name).is_file():
            given = json_object(path / name).get("eos_token_id")
            found |= set(given) if isinstance(given, list) else {given}
    return {each for each in found if each is not None}
