"""Answers beside each other list the options in which they differ."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat.conversations.models import Conversation, Message
from chat.conversations.serializers import load_siblings, message_json
from chat.turns.models import Generation

pytestmark = pytest.mark.django_db


@pytest.fixture
def question(cast: Any, model_card: Any) -> Message:
    conversation = Conversation.objects.create(owner=cast.alice, model=model_card)
    return Message.objects.create(conversation=conversation, role="user", author=cast.alice, text="Tea?")


def answer(question: Message, **parameters: Any) -> Message:
    made = Message.objects.create(
        conversation=question.conversation, parent=question, role="assistant", text="Yes."
    )
    Generation.objects.create(  # type: ignore[misc]
        message=made,
        user=question.author,
        client_id=str(made.pk),
        model=question.conversation.model_id,
        parameters={"temperature": 0.7, "persona": "", **parameters},
        seed=1,
        status="complete",
    )
    return made


def differs(message: Message) -> Any:
    fresh = Message.objects.get(pk=message.pk)
    return message_json(fresh).get("differs")


def test_an_answer_lists_only_the_options_that_differ(question: Message) -> None:
    plain, free = answer(question), answer(question, temperature=1.2)
    assert differs(plain) == {"temperature": 0.7}
    assert differs(free) == {"temperature": 1.2}
    pirate = answer(question, persona="Pirate")
    assert differs(pirate) == {"persona": "Pirate", "temperature": 0.7}
    assert differs(question) is None


def test_an_answer_without_siblings_lists_no_differences(question: Message) -> None:
    assert differs(answer(question)) is None


def test_imported_and_hidden_answers_list_no_differences(question: Message) -> None:
    imported = Message.objects.create(
        conversation=question.conversation, parent=question, role="assistant", text="Yes.", source="a file"
    )
    own, other = answer(question), answer(question, temperature=1.2)
    assert differs(imported) is None
    assert differs(own) == {"temperature": 0.7}
    Message.objects.filter(pk=other.pk).update(hidden_at="2026-01-01T00:00Z")
    assert differs(other) is None


def test_differences_of_many_answers_take_no_more_queries_than_of_one(question: Message) -> None:
    answer(question)
    answers = [answer(question, temperature=n / 10) for n in range(5)]
    with CaptureQueriesContext(
        connection,
    ) as few:
        load_siblings(answers[:1])
    with CaptureQueriesContext(connection) as many:
        load_siblings(answers)
    assert len(many) == len(few)
