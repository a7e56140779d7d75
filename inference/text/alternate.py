"""Turns any history into one that every chat template renders.

Many templates (Mistral's, Gemma's, Llama 2's) raise an exception unless an optional system message is
followed by user, assistant, user, … in strict alternation, and a stopped, failed, hidden, imported or cut
conversation has other orders. The rules, which docs/live-path.md gives with their reasons:

* Answers without text are left out. Questions that follow each other are one, with a blank line between them,
  and so are answers: nothing that a person wrote is lost.
* A question without text (hidden, or never there) is `SILENCE` where the alternation needs one.
* System messages are one, in front.
* Steps that called tools and their results stay as they are, each a message of its own.

A history that alternates already is returned unchanged, so its prompt and the cached prefix stay the same.
These are functions of their argument alone: a resume feeds the identical prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, groupby
from typing import Any

Message = dict[str, Any]

BLANK_LINE = "\n\n"
SILENCE = "…"  # stands for a question that cannot be shown; templates refuse or trim an empty one


def alternate(messages: Sequence[Message]) -> list[Message]:
    """Returns an optional system message, then user and assistant in turn, beginning with user; calls of
    tools are followed by their results.

    It ends as `messages` do: with the question to answer, or with the answer to continue. Questions that
    became one stay known as `parts`, for `separate`, their images as `part_images` by the part's number, and
    the numbers of pinned ones as `part_pinned`.
    """
    system = [each for each in messages if each["role"] == "system" and _says(each)]
    talk = [each for each in messages if each["role"] == "user" or (each["role"] != "system" and _says(each))]
    if messages and (not talk or talk[0]["role"] != "user"):
        talk.insert(0, {"role": "user", "content": SILENCE})
    turns = [[each for _, each in turn] for _, turn in groupby(enumerate(talk), key=_turn_of)]
    return [_joined(turn) for turn in ([system, *turns] if system else turns)]


def separate(messages: Sequence[Message]) -> list[Message]:
    """Takes questions that `alternate` joined apart again.

    Where not everything fits, an unanswered question is left out before the one that follows it: a person who
    sends a shorter text after one that was too long must get an answer.
    """
    return [
        _part(message, number) if "parts" in message else message
        for message in messages
        for number in range(len(message.get("parts", [""])))
    ]


def _part(message: Message, number: int) -> Message:
    images = message.get("part_images", {}).get(str(number))
    part = {"role": message["role"], "content": message["parts"][number]}
    part |= {"images": images} if images else {}
    return part | ({"pinned": True} if number in message.get("part_pinned", []) else {})


def _turn_of(place: tuple[int, Message]) -> tuple[str, int]:
    """Returns what consecutive messages of one turn have in common."""
    number, message = place
    return str(message["role"]), number if calls_or_result(message) else -1


def calls_or_result(message: Message) -> bool:
    """Returns whether a message is a step that called tools, or the result of a call."""
    return message["role"] == "tool" or bool(message.get("calls"))


def _joined(turn: list[Message]) -> Message:
    """Joins messages of one role; returns a single one unchanged."""
    if len(turn) == 1 and calls_or_result(turn[0]):
        return turn[0]
    said = [each for each in separate(turn) if _says(each)]
    if len(said) == 1:
        return said[0]
    role, parts = turn[0]["role"], [each["content"] for each in said]
    joined: Message = {"role": role, "content": BLANK_LINE.join(parts) or SILENCE}
    pinned = [number for number, each in enumerate(said) if each.get("pinned")]
    if role != "user" or not parts:
        return joined | ({"pinned": True} if pinned else {})
    joined |= {"parts": parts}
    joined |= {"part_pinned": pinned} if pinned else {}
    images = {str(number): each["images"] for number, each in enumerate(said) if each.get("images")}
    return joined | ({"part_images": images, "images": list(chain(*images.values()))} if images else {})


def _says(message: Message) -> bool:
    return calls_or_result(message) or bool(message["content"].strip())


def in_words(messages: Sequence[Message]) -> list[Message]:
    """Returns the messages with calls and results as plain text, for a template that does not know tools."""
    return [_in_words(message) for message in messages]


def _in_words(message: Message) -> Message:
    if message["role"] == "tool":
        return {"role": "user", "content": f"Result of {message['name']}:\n{message['content']}"}
    if not message.get("calls"):
        return message
    calls = [f"{call['name']}({call['arguments']})" for call in message["calls"]]
    said = [message["content"]] if message["content"].strip() else []
    return {"role": "assistant", "content": BLANK_LINE.join([*said, "\n".join(calls)])}
