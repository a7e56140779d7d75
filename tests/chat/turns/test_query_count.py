"""Tests the number of queries of a question: most of its cost in the web process (docs/decisions/0012)."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from msgspec import UNSET

from chat.conversations.models import Message
from chat.conversations.transcripts import transcript
from chat.turns import acknowledgement, submission
from chat.turns.idempotency import Turn
from chat.turns.models import Generation
from chat.turns.question import Question
from chat.turns.starting import send

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_is_queued(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission, "submit", lambda request: None)


def ask(cast: Any, after: Message | None = None) -> tuple[Turn, Any, list[str]]:
    def store() -> Turn:
        return send(
            user=cast.alice,
            conversation_id=after.conversation_id if after else None,
            parent_id=after.pk if after else None,
            question=Question("What is it?"),
            client_id=uuid4().hex,
        )

    with CaptureQueriesContext(connection) as captured:
        turn, ack, _number = acknowledgement.store(store, UNSET)
    statements = [query["sql"] for query in captured]
    return turn, ack, [each for each in statements if "SAVEPOINT" not in each]


def settle(turn: Turn) -> Message:
    Generation.objects.filter(pk=turn.generation.pk).update(status="complete")
    Message.objects.filter(pk=turn.generation.message_id).update(status="complete", text="It.")
    return Message.objects.get(pk=turn.generation.message_id)


def as_read_back(cast: Any, turn: Turn) -> list[dict[str, Any]]:
    """Returns the turn's messages as a page that loads the conversation gets them."""
    found = transcript(cast.alice, turn.conversation)["messages"]
    return [message for message in found if message["id"] in {str(each.pk) for each in turn.messages}]


def test_a_first_question_takes_fifteen_statements(cast: Any) -> None:
    ask(cast)  # the first of the day makes the row that counts it
    _turn, _ack, statements = ask(cast)
    assert len(statements) == 15, "\n".join(statements)


def test_a_following_question_takes_twenty_one_statements(cast: Any) -> None:
    first, _ack, _statements = ask(cast)
    _turn, _ack, statements = ask(cast, settle(first))
    assert len(statements) == 21, "\n".join(statements)


def test_a_repeated_send_gives_the_same_ack_and_stores_nothing(cast: Any) -> None:
    def store() -> Turn:
        return send(
            user=cast.alice,
            conversation_id=None,
            parent_id=None,
            question=Question("Once?"),
            client_id="the same",
        )

    _turn, first, _number = acknowledgement.store(store, UNSET)
    _turn, second, number = acknowledgement.store(store, UNSET)
    assert msgspec.to_builtins(second) == msgspec.to_builtins(first)
    assert number is None
    assert Message.objects.count() == 2


def test_the_ack_is_what_a_page_would_read(cast: Any) -> None:
    first, ack, _statements = ask(cast)
    assert msgspec.to_builtins(ack.messages) == as_read_back(cast, first)
    follow, ack, _statements = ask(cast, settle(first))
    assert msgspec.to_builtins(ack.messages) == as_read_back(cast, follow)
    edit, ack, _statements = ask(cast, Message.objects.get(pk=first.generation.message_id))
    assert len(ack.messages[0]["siblings"]) == 2
    assert msgspec.to_builtins(ack.messages) == as_read_back(cast, edit)
