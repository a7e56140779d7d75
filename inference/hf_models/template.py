"""Renders conversations with a folder's chat template, whatever its author assumed.

A template is a program that its author wrote for another server. This module finds out, with sentinels in
place of the messages, whether one puts out every message, takes a message's content as text or as a list of
parts, and knows system messages. What it loses is put where it is not lost: the system text joins the first
question.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inference.hf_models.efforts import effort_arguments
from inference.model_dir.describe import ModelUnusable
from inference.model_dir.headers import first_line, json_object
from inference.text.alternate import alternate

Message = dict[str, Any]
LEGACY = "chat_template.json"  # as older releases of transformers saved it
# A prompt for a new answer may end with the tag that opens the reasoning, which the answer then lacks.
OPENED = re.compile(r"(<[^<>\s/|]+>)\s*\Z")
SAY = {
    role: {"role": role, "content": text}
    for role, text in (("system", "s"), ("user", "u"), ("assistant", "a"))
}
# What every conversation is made of; the trial at start renders each.
TRIALS = (
    (SAY["user"],),
    (SAY["user"], SAY["assistant"], SAY["user"]),
    (SAY["system"], SAY["user"]),
    (SAY["system"], SAY["user"], SAY["assistant"], SAY["user"]),
)


class TemplateFailed(ValueError):
    """A template that raises an exception, or puts out less than it was given."""


class Marked:
    """Messages with a sentinel in place of each content, to find the contents in the rendered text."""

    def __init__(self, messages: Sequence[Message]) -> None:
        nonce = secrets.token_hex(8)
        self.originals = list(messages)
        self.contents = {f"{nonce}x{i}x": str(each["content"]) for i, each in enumerate(messages)}
        self.messages = [
            {**each, "content": mark} for each, mark in zip(messages, self.contents, strict=True)
        ]
        self._pattern = re.compile(f"({nonce}x[0-9]+x)")

    def split(self, text: str) -> list[str]:
        """Cuts rendered text into what the template wrote and sentinels."""
        return self._pattern.split(text)

    def lost(self, text: str) -> str | None:
        """Returns the role of a message that is not in the rendered text."""
        roles = (each["role"] for each in self.messages)
        return next((role for role, mark in zip(roles, self.contents, strict=True) if mark not in text), None)


class ChatTemplate:
    """The template of one folder; `inner` is its tokenizer of transformers."""

    def __init__(self, inner: Any, path: Path) -> None:
        """Raises ModelUnusable for a template that cannot render the conversations that everybody has."""
        self._inner = inner
        self._source = _source(inner, path)
        self._wants_parts = False
        self._effort_arguments: dict[str, Mapping[str, Any]] = {}
        if self:
            self._try_out(path)
            self._try_efforts()

    def __bool__(self) -> bool:
        """Returns whether there is one; without, a conversation is a transcript."""
        return bool(self._source)

    @property
    def source(self) -> str:
        return self._source or ""

    @property
    def efforts(self) -> tuple[str, ...]:
        """Returns the efforts of thinking that it can be asked for, least first."""
        return tuple(self._effort_arguments)

    def text(self, messages: Sequence[Message], begun: str = "", effort: str = "") -> str:
        """Renders a prompt for the next answer, which begins with `begun`. Raises TemplateFailed."""
        given = [{**each, "content": [{"type": "text", "text": each["content"]}]} for each in messages]
        try:
            text: str = self._inner.apply_chat_template(
                given if self._wants_parts else list(messages),
                chat_template=self._source,
                tokenize=False,
                add_generation_prompt=True,
                **self._effort_arguments.get(effort, {}),
            )
            text = text.encode("utf-8", "replace").decode()
        except Exception as error:  # a template is another author's program
            raise TemplateFailed(first_line(error)) from error
        opened = OPENED.search(text)
        return text[: opened.start()] if opened and begun.lstrip().startswith(opened[1]) else text

    def accepted(self, messages: Sequence[Message], begun: str = "", effort: str = "") -> tuple[Marked, str]:
        """Returns the messages as the template puts all of them out, and what it makes of their sentinels:
        as they are, in strict alternation, or with the system text before the first question.

        If it loses some in every form, the first form that it renders at all.
        """
        rendered: tuple[Marked, str] | None = None
        problem = TemplateFailed("there is nothing to render")
        for form in _forms(messages):
            marked = Marked(form)
            try:
                text = self.text(marked.messages, begun, effort)
            except TemplateFailed as error:
                problem = error
                continue
            if marked.lost(text) is None:
                return marked, text
            rendered = rendered or (marked, text)
        if rendered is None:
            raise problem
        return rendered

    def _try_out(self, path: Path) -> None:
        problem = self._problem()
        if problem:
            self._wants_parts = True
            if self._problem():
                raise ModelUnusable(
                    f"the chat template in {path} cannot be used: {problem}; get it again from where the "
                    "model is from, or remove it (a conversation is a transcript then)"
                )

    def _try_efforts(self) -> None:
        """Keeps the efforts that make a difference, and prompts that the template renders."""
        prompts: dict[str, str] = {}
        self._effort_arguments = effort_arguments(self.source)
        for effort in self.efforts:
            try:
                prompts[effort] = self.text(TRIALS[0], effort=effort)
            except TemplateFailed:
                del self._effort_arguments[effort]
        if len(set(prompts.values())) < max(2, len(prompts)):
            self._effort_arguments = {}

    def _problem(self) -> str:
        """Returns what is wrong with the template where it renders what everybody has; "" if nothing is."""
        try:
            lost = [marked.lost(text) for marked, text in map(self.accepted, TRIALS)]
        except TemplateFailed as error:
            return str(error)
        role = next(filter(None, lost), None)
        return f"it leaves out a message of the {role}" if role else ""


def _source(inner: Any, path: Path) -> str | None:
    """Returns the template for conversations; a folder may have several, one of them called "default"."""
    source = inner.chat_template
    if isinstance(source, dict):
        if "default" not in source:
            raise ModelUnusable(
                f"{path} has several chat templates and none called default: {sorted(source)}"
            )
        source = source["default"]
    if source or not (path / LEGACY).is_file():
        return source or None
    source = json_object(path / LEGACY).get("chat_template")
    if not isinstance(source, str):
        raise ModelUnusable(f"{LEGACY} in {path} holds no text named chat_template")
    return source


def _forms(messages: Sequence[Message]) -> Iterator[list[Message]]:
    yield list(messages)
    ordered = alternate(messages)
    yield ordered
    yield _without_system(ordered)


def _without_system(messages: Sequence[Message]) -> list[Message]:
    """Returns the messages with the system text put before the first question."""
    system = [message["content"] for message in messages if message["role"] == "system"]
    talk = [message for message in messages if message["role"] != "system"]
    if system and talk and talk[0]["role"] == "user":
        talk[0] = {"role": "user", "content": "\n\n".join([*system, talk[0]["content"]])}
    return talk
