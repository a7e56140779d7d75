"""Makes prompt ids from messages, leaving room for the answer.

Whole old turns are left out first, never part of a message and never the system message: a long paste must
not push the operator's instructions out of sight. Turns with a pinned message stay. It is a function of its
arguments alone, so that a resume feeds the identical prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Messages = Sequence[dict[str, Any]]
Render = Callable[[list[dict[str, Any]]], list[int]]
Count = Callable[[list[dict[str, Any]]], int]

LEAST_ANSWER = 16  # tokens; below this the last message counts as too long for the context


class TooLong(ValueError):
    """The system message and the last turn alone leave no room for an answer."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Holds the ids to feed, and how many tokens may follow: len(ids) + max_new <= context."""

    ids: list[int]
    max_new: int
    left_out: int = 0  # turns that did not fit


@dataclass(frozen=True, slots=True)
class Fitted:
    """Holds the newest turns that fit, and how many tokens may follow: tokens + max_new <= context."""

    messages: list[dict[str, Any]]
    tokens: int
    max_new: int
    left_out: int = 0  # older turns that did not fit


def fit(messages: Messages, render: Render, *, context: int, max_new_tokens: int) -> Prompt:
    """Returns the prompt with as many of the newest turns as fit (fit_turns says how they are chosen).

    `render` is called on O(log turns) prompts of about the context's length.
    """
    rendered: dict[int, list[int]] = {}

    def count(chosen: list[dict[str, Any]]) -> int:
        rendered[len(chosen)] = render(chosen)
        return len(rendered[len(chosen)])

    fitted = fit_turns(messages, count, context=context, max_new_tokens=max_new_tokens)
    return Prompt(rendered[len(fitted.messages)], fitted.max_new, fitted.left_out)


def fit_turns(messages: Messages, count: Count, *, context: int, max_new_tokens: int) -> Fitted:
    """Returns as many of the newest turns as fit beside an answer of max_new_tokens.

    The room reserved for the answer is at most half the context: a limit above that is a ceiling, not a
    target, and must not cost the whole history. If not even the last turn fits beside it, an answer as short
    as LEAST_ANSWER will do. Turns with a message that is `pinned` stay, wherever they are, while they fit
    beside the last one. Raises TooLong with the numbers. `count` returns the tokens of messages.
    """
    system = [m for m in messages if m["role"] == "system"]
    turns = split_turns([m for m in messages if m["role"] != "system"])
    limit = context - min(max_new_tokens, context // 2)
    pinned = [place for place, turn in enumerate(turns[:-1]) if any(m.get("pinned") for m in turn)]

    def newest(number: int) -> list[dict[str, Any]]:
        first = max(0, len(turns) - number)
        places = [*(place for place in pinned if place < first), *range(first, len(turns))]
        return system + [message for place in places for message in turns[place]]

    def fitted(tokens: int, max_new: int) -> Fitted:
        stay = sum(place < len(turns) - least for place in pinned)
        return Fitted(chosen, tokens, max_new, len(turns) - least - stay)

    least, chosen = 1, newest(1)
    size = count(chosen)
    while size > limit and pinned:  # more is pinned than this model can read: half of them, the oldest, go
        del pinned[: (len(pinned) + 1) // 2]
        chosen = newest(1)
        size = count(chosen)
    if size > context - min(max_new_tokens, LEAST_ANSWER):
        raise TooLong(
            f"the last message takes {size:,} tokens with its instructions; the context is {context:,}"
        )
    if size > limit:
        return fitted(size, context - size)
    too_many = len(turns) + 1  # find the largest number that fits: double, then halve the interval
    while least + 1 < too_many:
        number = min(2 * least, len(turns)) if too_many > len(turns) else (least + too_many) // 2
        longer = newest(number)
        tokens = count(longer)
        if tokens <= limit:
            least, chosen, size = number, longer, tokens
        else:
            too_many = number
    return fitted(size, min(max_new_tokens, context - size))


def continues_answer(messages: Messages) -> bool:
    """Returns whether the reply continues an answer: the last message is the assistant's."""
    return bool(messages) and messages[-1]["role"] == "assistant"


def split_turns(messages: Messages) -> list[list[dict[str, Any]]]:
    """Returns each user message with what follows it; replies before the first are a turn of their own."""
    turns: list[list[dict[str, Any]]] = []
    for message in messages:
        if message["role"] == "user" or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns
