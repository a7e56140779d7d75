"""Reports come in through their door; staff decide in three ways, each on record."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message
from chat.core import audit
from chat.core.errors import BadInput, ChatError, NotAllowed
from chat.core.models import StaffAction
from chat.model_cards.models import ModelCard
from chat.moderation import deciding, hooks, reporting, signals
from chat.moderation.models import Decision, Report
from chat.sharing.copying import store_copy
from chat.sharing.models import Share
from tests.chat.cast import Cast


@pytest.fixture
def message(cast: Cast, model_card: ModelCard) -> Message:
    conversation = Conversation.objects.create(owner=cast.alice, model=model_card, title="Soup")
    asked = Message.objects.create(conversation=conversation, role="user", author=cast.alice, text="Soup?")
    return Message.objects.create(
        conversation=conversation, parent=asked, role="assistant", text="<b>Poison</b>"
    )


@pytest.fixture
def share(cast: Cast, message: Message) -> Share:
    snapshot = [{"id": str(message.pk), "role": "assistant", "text": message.text}]
    return store_copy(Share(conversation=message.conversation, owner=cast.alice, title="Soup"), snapshot)


def send(cast: Cast, who: str, **body: Any) -> Any:
    return cast.client(who).post("/api/reports/", json.dumps(body), content_type="application/json")


def report_of(share: Share, cast: Cast, message: Message | None = None) -> Any:
    return reporting.report_share(
        reporter=None,
        share_id=share.pk,
        text="assistant: Poison",
        author=cast.alice,
        reason="harmful",
        message_id=message.pk if message else None,
    )


@pytest.mark.parametrize(
    ("who", "status"),
    [("alice", 201), ("bob", 404), ("stranger", 404), ("staff", 404), ("moderator", 404), ("anonymous", 401)],
)
def test_only_the_owner_reports_a_message(cast: Cast, message: Message, who: str, status: int) -> None:
    response = send(cast, who, message_id=str(message.pk), reason="harmful", note=" bad advice ")
    assert response.status_code == status
    assert Report.objects.count() == (1 if status == 201 else 0)
    if status == 201:
        report = Report.objects.get()
        assert (report.reporter, report.author, report.text) == (cast.alice, cast.alice, "<b>Poison</b>")
        assert (report.note, report.status) == ("bad advice", "open")


@pytest.mark.parametrize(
    "pk", [None, "", "no-id", 7, ["x"], {"a": 1}, "0f8fad5b-d9cb-469f-a165-70867728950e"]
)
def test_unknown_ids_get_the_same_answer_as_ids_of_others(
    cast: Cast, message: Message, pk: dict[str, Any] | int | list[str] | str | None
) -> None:
    foreign = send(cast, "bob", message_id=str(message.pk), reason="other", note="")
    unknown = send(cast, "alice", message_id=pk, reason="other", note="")
    assert unknown.status_code == foreign.status_code == 404
    assert unknown.json() == foreign.json()


@pytest.mark.parametrize(
    "wrong", [{"reason": "nonsense"}, {"reason": ""}, {"reason": 5}, {"note": "x" * 2001}, {"note": ["x"]}]
)
def test_reasons_and_notes_are_checked(cast: Cast, message: Message, wrong: Any) -> None:
    body = {"message_id": str(message.pk), "reason": "other", "note": "", **wrong}
    assert send(cast, "alice", **body).status_code == 400
    assert not Report.objects.exists()


def test_reporting_twice_is_once_while_it_is_open(cast: Cast, message: Message) -> None:
    first = send(cast, "alice", message_id=str(message.pk), reason="other", note="")
    again = send(cast, "alice", message_id=str(message.pk), reason="harmful", note="again")
    assert first.json() == again.json()
    deciding.decide(report=Report.objects.get(), by=cast.staff, action="dismissed")
    send(cast, "alice", message_id=str(message.pk), reason="harmful", note="")
    assert Report.objects.count() == 2


def test_reports_are_limited(cast: Cast, message: Message) -> None:
    statuses = [
        send(cast, "alice", message_id=str(message.pk), reason="other", note="").status_code
        for _ in range(31)
    ]
    assert statuses == [201] * 30 + [429]


def test_a_live_reply_is_reported_when_it_has_ended(cast: Cast, message: Message) -> None:
    Message.objects.update(status="live")
    response = send(cast, "alice", message_id=str(message.pk), reason="other", note="")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "busy")


# --- Deciding -----------------------------------------------------------------------------------------------


def test_dismissing_changes_nothing_but_the_report(cast: Cast, message: Message) -> None:
    report = reporting.report_message(reporter=cast.alice, message=message, reason="other")
    deciding.decide(report=report, by=cast.moderator, action="dismissed", note="fine")
    message.refresh_from_db()
    report.refresh_from_db()
    assert (report.status, message.hidden_at) == ("dismissed", None)
    decision = Decision.objects.get()
    assert (decision.by, decision.action, decision.note) == (cast.moderator, "dismissed", "fine")


def test_hiding_takes_the_text_from_readers_and_keeps_it_for_appeal(
    cast: Cast, message: Message, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    result = []

    def listener(message: Message, **kwargs: Any) -> None:
        result.append((message.pk, message.hidden_at is not None))

    signals.message_hidden.connect(listener)
    try:
        report = reporting.report_message(reporter=cast.alice, message=message, reason="harmful")
        with django_capture_on_commit_callbacks(execute=True):
            deciding.decide(report=report, by=cast.moderator, action="hidden")
            assert result == []
        assert result == [(message.pk, True)]
    finally:
        signals.message_hidden.disconnect(listener)
    seen = (
        cast.client("alice").get(f"/api/conversations/{message.conversation_id}/messages/").content.decode()
    )
    assert "Poison" not in seen
    message.refresh_from_db()
    assert message.text == "<b>Poison</b>"


def test_taking_a_share_down_closes_it(cast: Cast, message: Message, share: Share) -> None:
    address = share.get_absolute_url()
    assert cast.client("anonymous").get(address).status_code == 200
    deciding.decide(report=report_of(share, cast), by=cast.moderator, action="taken_down")
    for who in ("anonymous", "alice", "bob"):
        assert cast.client(who).get(address).status_code == 404
    share.refresh_from_db()
    assert share.taken_down_at is not None


def test_if_the_share_cannot_be_closed_nothing_is_decided(cast: Cast, share: Share) -> None:
    report = report_of(share, cast)

    def broken(share_id: Any, reason: str) -> bool:
        raise RuntimeError("no")

    hooks.take_down_share.register(broken)
    try:
        with pytest.raises(RuntimeError):
            deciding.decide(report=report, by=cast.staff, action="taken_down")
    finally:
        hooks.take_down_share.unregister(broken)
    report.refresh_from_db()
    share.refresh_from_db()
    assert (report.status, share.taken_down_at) == ("open", None)
    assert not Decision.objects.exists()
    assert not StaffAction.objects.exists()


def test_a_decision_can_be_taken_back(cast: Cast, message: Message) -> None:
    first = reporting.report_message(reporter=cast.alice, message=message, reason="other")
    second = reporting.report_message(reporter=cast.bob, message=message, reason="other")
    for report in (first, second):
        deciding.decide(report=report, by=cast.staff, action="hidden")
    deciding.decide(report=first, by=cast.staff, action="dismissed")
    message.refresh_from_db()
    assert message.hidden_at is not None  # the other report still hides it
    deciding.decide(report=second, by=cast.staff, action="dismissed")
    message.refresh_from_db()
    assert message.hidden_at is None


def test_dismissing_an_open_report_does_not_show_what_another_hid(cast: Cast, message: Message) -> None:
    first = reporting.report_message(reporter=cast.alice, message=message, reason="other")
    second = reporting.report_message(reporter=cast.bob, message=message, reason="other")
    deciding.decide(report=first, by=cast.staff, action="hidden")
    deciding.decide(report=second, by=cast.staff, action="dismissed")
    message.refresh_from_db()
    assert message.hidden_at is not None


def test_decisions_that_make_no_sense(cast: Cast, message: Message, share: Share) -> None:
    about_message = reporting.report_message(reporter=cast.alice, message=message, reason="other")
    about_share = report_of(share, cast)
    for report, action in [(about_message, "taken_down"), (about_share, "hidden"), (about_share, "open")]:
        with pytest.raises(BadInput):
            deciding.decide(report=report, by=cast.staff, action=action)
    message.delete()
    with pytest.raises(ChatError, match="no longer exists"):
        deciding.decide(report=about_message, by=cast.staff, action="hidden")
    deciding.decide(report=about_message, by=cast.staff, action="dismissed")


def test_a_message_of_a_shared_page_can_be_hidden_where_it_came_from(
    cast: Cast, message: Message, share: Share
) -> None:
    deciding.decide(report=report_of(share, cast, message), by=cast.moderator, action="hidden")
    message.refresh_from_db()
    assert message.hidden_at is not None


@pytest.mark.parametrize("who", ["alice", "bob", "stranger"])
def test_only_moderators_decide(cast: Cast, message: Message, share: Share, who: str) -> None:
    by: User = getattr(cast, who)
    report = reporting.report_message(reporter=cast.alice, message=message, reason="other")
    with pytest.raises(NotAllowed):
        deciding.decide(report=report, by=by, action="dismissed")
    with pytest.raises(NotAllowed):
        deciding.take_share_down(share_id=share.pk, by=by)
    assert not StaffAction.objects.exists()


def test_everything_decided_is_on_record(cast: Cast, message: Message, share: Share) -> None:
    report = reporting.report_message(reporter=cast.alice, message=message, reason="other")
    deciding.decide(report=report, by=cast.moderator, action="hidden", note="clear")
    deciding.take_share_down(share_id=share.pk, by=cast.moderator, note="also", owner_reason="Insults.")
    hidden, down = StaffAction.objects.order_by("pk")
    assert (hidden.verb, hidden.target, hidden.actor) == (
        "report hidden",
        f"report:{report.pk}",
        cast.moderator,
    )
    assert hidden.detail == {"was": "open", "message": str(message.pk), "share": None, "note": "clear"}
    assert (down.verb, down.target) == ("take share down", f"share:{share.pk}")
    assert audit.verify() is None
