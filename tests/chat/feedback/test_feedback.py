"""Tests who may give feedback on an answer, and that staff see numbers and reasons, but no text."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db.models.functions import Now
from django.urls import reverse

from chat.conversations.models import Conversation, Message
from chat.core.models import StaffAction
from chat.feedback.models import Feedback
from chat.model_cards.models import ModelCard
from tests.chat.cast import Cast

SECRET = "the secret soup"


@pytest.fixture
def message(cast: Cast, model_card: ModelCard) -> Message:
    conversation = Conversation.objects.create(owner=cast.alice, model=model_card, title=SECRET)
    asked = Message.objects.create(conversation=conversation, role="user", author=cast.alice, text=SECRET)
    return Message.objects.create(conversation=conversation, parent=asked, role="assistant", text=SECRET)


def address(pk: UUID) -> str:
    return f"/api/messages/{pk}/feedback/"


def send(cast: Cast, message: Message, who: str = "alice", **body: Any) -> Any:
    return cast.client(who).post(address(message.pk), json.dumps(body), content_type="application/json")


@pytest.mark.parametrize(
    ("who", "status"),
    [("alice", 200), ("bob", 404), ("stranger", 404), ("staff", 404), ("moderator", 404), ("anonymous", 401)],
)
def test_only_the_owner_gives_feedback(cast: Cast, message: Message, who: str, status: int) -> None:
    assert send(cast, message, who, value=1).status_code == status
    assert cast.client(who).get(address(message.pk)).status_code == status
    assert Feedback.objects.count() == (status == 200)


def test_the_last_feedback_counts_and_can_be_withdrawn(cast: Cast, message: Message) -> None:
    send(cast, message, value=1, reason="clear")
    answer = send(cast, message, value=-1, reason="wrong", note="  it is salt ")
    said = {"value": -1, "reason": "wrong", "note": "it is salt"}
    assert answer.json() == {"feedback": said}
    assert cast.client("alice").get(address(message.pk)).json() == {"feedback": said}
    row = Feedback.objects.get()
    assert (row.user, row.model) == (cast.alice, message.conversation.model)
    assert send(cast, message, value=0).json()["feedback"]["value"] == 0
    assert not Feedback.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {}, {"value": 2}, {"value": "1"}, {"value": True}, {"value": 1.0}, {"value": None},
        {"value": 1, "reason": "nonsense"}, {"value": 1, "reason": ["wrong"]},
        {"value": 1, "note": 5}, {"value": 1, "note": "x" * 2001},
    ],
)  # fmt: skip
def test_invalid_feedback_is_refused(cast: Cast, message: Message, body: Any) -> None:
    assert send(cast, message, **body).status_code == 400
    assert not Feedback.objects.exists()


def test_only_finished_visible_answers_take_feedback(cast: Cast, message: Message) -> None:
    assert message.parent is not None
    assert send(cast, message.parent, value=1).status_code == 404
    Message.objects.filter(pk=message.pk).update(status="live")
    assert send(cast, message, value=1).status_code == 409
    Message.objects.filter(pk=message.pk).update(status="complete", hidden_at=Now())
    assert send(cast, message, value=1).status_code == 404
    assert cast.client("alice").get(address(uuid4())).status_code == 404


def test_a_note_is_read_on_record_and_lists_are_not_filtered_by_it(cast: Cast, message: Message) -> None:
    send(cast, message, value=-1, reason="wrong", note="too salty")
    row = Feedback.objects.get()
    listed = reverse("admin:feedback_feedback_changelist")
    for asked in ({"note": "too salty"}, {"note__exact": "too salty"}):
        assert cast.client("moderator").get(listed, asked).status_code == 400
    assert "too salty" in cast.client("moderator").get(f"{listed}{row.pk}/change/").content.decode()
    read = StaffAction.objects.get(verb="read feedback")
    assert (read.actor, str(row.pk) in read.target) == (cast.moderator, True)


def test_staff_see_counts_and_reasons_and_no_text(cast: Cast, message: Message) -> None:
    send(cast, message, value=-1, reason="wrong", note="too salty")
    listed = reverse("admin:feedback_feedback_changelist")
    page = reverse("admin:feedback_feedback_change", args=[Feedback.objects.get().pk])
    for who in ("staff", "moderator"):
        answer = cast.client(who).get(listed)
        assert answer.context["counts"] == [("Scripted", "poor", "not correct", 1)]
        assert "too salty" in cast.client(who).get(page).content.decode()
        for each in (listed, page):
            assert SECRET not in cast.client(who).get(each).content.decode()
    private = reverse("admin:conversations_conversation_change", args=[message.conversation_id])
    way = f"{private}?message={message.pk}#m-{message.pk}"
    assert way in cast.client("staff").get(page).content.decode()
    assert private not in cast.client("moderator").get(page).content.decode()
    before = StaffAction.objects.count()
    assert SECRET in cast.client("staff").get(way).content.decode()
    assert StaffAction.objects.count() == before + 1


def test_ratings_are_shown_in_french(cast: Cast, message: Message) -> None:
    send(cast, message, value=-1, reason="wrong")
    cast.client("staff").cookies["grokweb_language"] = "fr"
    answer = cast.client("staff").get(
        reverse("admin:feedback_feedback_changelist"), headers={"accept-language": "fr"}
    )
    assert answer.context["counts"] == [("Scripted", "mauvaise", "pas juste", 1)]


def test_feedback_in_deleted_conversations_is_not_shown(cast: Cast, message: Message) -> None:
    send(cast, message, value=1)
    Conversation.objects.update(deleted_at=Now())
    answer = cast.client("staff").get(reverse("admin:feedback_feedback_changelist"))
    assert answer.context["counts"] == []
    assert len(answer.context["cl"].result_list) == 0
    assert send(cast, message, value=-1).status_code == 404
