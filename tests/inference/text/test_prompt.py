"""Tests which messages go into the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.conversations.models import Message
from inference.text.prompt import LEAST_ANSWER, TooLong, fit


def said(role: Any, size: Any, name: str = "") -> Any:
    return {"role": role, "content": name or f"{role[0]}{size}", "size": size}


def render(messages: Sequence[Message]) -> list[Any]:
    return [token for m in messages for token in [m["content"]] * m["size"]]


def conversation(turns: Any, *, each: int = 10) -> Any:
    return [said(role, each, f"{role[0]}{i}") for i in range(turns) for role in ("user", "assistant")][:-1]


def kept(messages: Sequence[Message], **limits: Any) -> Any:
    return list(dict.fromkeys(fit(messages, render, **limits).ids))


def test_everything_fits() -> None:
    prompt = fit([said("system", 5), *conversation(3)], render, context=100, max_new_tokens=40)
    assert len(prompt.ids) == 55
    assert prompt.max_new == 40


def test_oldest_turns_go_first_and_the_system_message_stays() -> None:
    messages = [said("system", 5, "rules"), *conversation(4)]
    assert kept(messages, context=100, max_new_tokens=40) == ["rules", "u1", "a1", "u2", "a2", "u3"]
    assert kept(messages, context=100, max_new_tokens=46) == ["rules", "u2", "a2", "u3"]


def test_turns_that_do_not_fit_are_counted() -> None:
    messages = [said("system", 5, "rules"), *conversation(4)]
    assert fit(messages, render, context=1000, max_new_tokens=40).left_out == 0
    assert fit(messages, render, context=100, max_new_tokens=40).left_out == 1
    assert fit(messages, render, context=100, max_new_tokens=46).left_out == 2
    assert fit(messages, render, context=32, max_new_tokens=40).left_out == 3


def test_a_large_limit_is_a_ceiling_and_does_not_cost_the_history() -> None:
    prompt = fit(conversation(3), render, context=110, max_new_tokens=100_000)
    assert (len(prompt.ids), prompt.max_new) == (50, 60)


def test_a_long_last_message_takes_room_from_the_answer() -> None:
    prompt = fit(
        [said("user", 500), said("assistant", 5), said("user", 80)], render, context=100, max_new_tokens=64
    )
    assert (len(prompt.ids), prompt.max_new) == (80, 20)


@pytest.mark.parametrize(
    ("size", "limit", "fits"), [(84, 64, True), (85, 64, False), (98, 2, True), (99, 2, False)]
)
def test_a_prompt_that_leaves_no_room_is_too_long(size: int, limit: int, fits: bool) -> None:
    if fits:
        assert fit([said("user", size)], render, context=100, max_new_tokens=limit).max_new == 100 - size
        return
    with pytest.raises(TooLong, match="100"):
        fit([said("user", size)], render, context=100, max_new_tokens=limit)


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=40),
    system=st.integers(0, 20),
    context=st.integers(64, 400),
    limit=st.integers(1, 500),
)
def test_the_newest_turns_that_fit_and_not_one_fewer(
    sizes: Any, system: Any, context: Any, limit: Any
) -> None:
    turns = [said("user", size, f"u{i}") for i, size in enumerate(sizes)]
    head = [said("system", system, "s")] if system else []
    try:
        prompt = fit([*head, *turns], render, context=context, max_new_tokens=limit)
    except TooLong:
        assert system + sizes[-1] > context - min(limit, LEAST_ANSWER)
        return
    assert len(prompt.ids) + prompt.max_new <= context
    assert prompt.max_new <= limit
    counts = [
        n for n in range(1, len(turns) + 1) if system + sum(sizes[-n:]) <= context - min(limit, context // 2)
    ]
    assert prompt.ids == render([*head, *turns[-max(counts, default=1) :]])


def test_pinned_turns_stay_and_are_not_counted_as_left_out() -> None:
    messages = [said("system", 5, "rules"), *conversation(5)]
    messages[4]["pinned"] = True  # the answer of the second turn
    assert kept(messages, context=100, max_new_tokens=40) == ["rules", "u1", "a1", "u3", "a3", "u4"]
    assert kept(messages, context=100, max_new_tokens=46) == ["rules", "u1", "a1", "u4"]
    assert fit(messages, render, context=100, max_new_tokens=46).left_out == 3
    assert fit(messages, render, context=1000, max_new_tokens=46).left_out == 0


def test_the_oldest_pinned_turns_go_where_a_model_cannot_read_all_of_them() -> None:
    messages = conversation(5)
    for message in messages[:6]:
        message["pinned"] = True
    assert kept(messages, context=60, max_new_tokens=20) == ["u2", "a2", "u4"]
    assert fit(messages, render, context=60, max_new_tokens=20).left_out == 3
    assert kept(messages, context=40, max_new_tokens=20) == ["u4"]
