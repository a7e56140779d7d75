"""Later attempts of a reply read the prompt of the first one, without what was hidden or deleted since."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
import redis
from django.utils import timezone

from chat.conversations.models import Conversation, Message, Role
from chat.turns import reconcile, submission
from chat.turns.models import Generation
from chat.turns.question import Question
from chat.turns.starting import send
from inference.contract import GenerationRequest
from inference.wire import scripts

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _reconcile_at_once(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RECONCILE_AGE_SECONDS = -60
    settings.REDIS_REST_SECONDS = 0.001
    monkeypatch.setattr(submission, "ticket", lambda *_: None)


@pytest.fixture
def history(cast: Any) -> list[Message]:
    """A conversation of two questions with answers."""
    talk = Conversation.objects.create(owner=cast.alice, model_id="scripted")
    messages: list[Message] = []
    for role, text in (
        (Role.USER, "one"),
        (Role.ASSISTANT, "two"),
        (Role.USER, "three"),
        (Role.ASSISTANT, "four"),
    ):
        parent = messages[-1] if messages else None
        messages.append(Message.objects.create(conversation=talk, parent=parent, role=role, text=text))
    return messages


@pytest.fixture
def asked(cast: Any, history: list[Message], redis_client: redis.Redis) -> Generation:
    end = history[-1]
    return send(
        user=cast.alice,
        conversation_id=end.conversation_id,
        parent_id=end.pk,
        question=Question("five"),
        client_id="c",
    ).generation


def lost_and_asked_again(redis_client: redis.Redis, row: Generation) -> tuple[Generation, list[str]]:
    """Redis loses everything; returns the row, and what the next attempt's request says."""
    redis_client.flushdb()
    deadline = time.monotonic() + 5
    while not redis_client.exists(scripts.key("gen", str(row.pk))):  # a pass rests after the loss
        reconcile.reconcile()
        assert time.monotonic() < deadline, "not submitted again"
    payload: Any = redis_client.hget(scripts.key("gen", str(row.pk)), "payload")
    request = GenerationRequest.from_json(payload)
    row = Generation.objects.get(pk=row.pk)
    assert (request.attempt, request.run) == (row.attempt, row.run)
    return row, [message["content"] for message in request.messages]


def hide(message: Message, *, hidden: bool = True) -> None:
    Message.objects.filter(pk=message.pk).update(hidden_at=timezone.now() if hidden else None)


def test_an_unchanged_prompt_stays_in_its_run(redis_client: redis.Redis, asked: Generation) -> None:
    row, texts = lost_and_asked_again(redis_client, asked)
    assert (row.attempt, row.run) == (2, 0)
    assert texts == ["one", "two", "three", "four", "five"]
    assert row.prompt == Generation.objects.get(pk=asked.pk).prompt
    assert row.prompt.messages == 5


def test_a_message_hidden_since_is_left_out_in_a_new_run(
    redis_client: redis.Redis, asked: Generation, history: list[Message]
) -> None:
    hide(history[3])
    row, texts = lost_and_asked_again(redis_client, asked)
    assert (row.attempt, row.run) == (2, 1)
    assert "four" not in "".join(texts)
    assert row.prompt.left_out == (history[3].pk,)
    row, _texts = lost_and_asked_again(redis_client, row)
    assert (row.attempt, row.run) == (3, 1)


def test_a_message_shown_again_stays_left_out(
    redis_client: redis.Redis, asked: Generation, history: list[Message]
) -> None:
    hide(history[3])
    row, _texts = lost_and_asked_again(redis_client, asked)
    hide(history[3], hidden=False)
    row, texts = lost_and_asked_again(redis_client, row)
    assert (row.attempt, row.run) == (3, 1)
    assert "four" not in "".join(texts)


def test_a_limit_that_changed_since_changes_no_prompt(
    redis_client: redis.Redis, asked: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.turns.prompts.HISTORY_MESSAGES", 2)
    row, texts = lost_and_asked_again(redis_client, asked)
    assert (row.run, len(texts)) == (0, 5)


def test_a_row_of_an_older_release_is_not_compared(
    redis_client: redis.Redis, asked: Generation, history: list[Message]
) -> None:
    Generation.objects.filter(pk=asked.pk).update(prompt={})
    hide(history[3])
    row, texts = lost_and_asked_again(redis_client, asked)
    assert (row.attempt, row.run) == (2, 0)
    assert "four" not in "".join(texts)
    assert row.prompt.messages == 5


def test_the_row_holds_no_text_of_the_prompt(asked: Generation) -> None:
    stored = Generation.objects.filter(pk=asked.pk).values_list("prompt", flat=True).get()
    raw = msgspec.json.encode(stored).decode()
    assert not any(word in raw for word in ("one", "two", "three", "four", "five"))
