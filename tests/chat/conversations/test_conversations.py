"""Making, naming, listing and deleting conversations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from chat.conversations import signals, tasks
from chat.conversations.lifecycle import delete_conversation
from chat.conversations.models import Conversation, Leaf, Message, MessageStatus
from chat.conversations.purge import purge_deleted
from chat.conversations.titles import rename_conversation, title_from
from chat.model_cards.access import models_for
from chat.model_cards.errors import Unavailable
from chat.model_cards.models import ModelCard
from chat.model_cards.selection import default_model
from chat.model_cards.services import announce_model
from tests.chat.cast import Cast
from tests.chat.conversations.building import live_reply, long_talk, say, talk

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard() -> Iterator[list[tuple[Any, ...]]]:
    """Collects the signals that were sent, in order."""
    news: list[tuple[Any, ...]] = []

    def deleted(conversation: Conversation, **_: Any) -> None:
        news.append(("deleted", conversation.pk))

    def changed(conversation: Conversation, deleted: Any, **_: Any) -> None:
        news.append(("changed", conversation.title, deleted))

    signals.conversation_deleted.connect(deleted)
    signals.conversation_changed.connect(changed)
    yield news
    signals.conversation_deleted.disconnect(deleted)
    signals.conversation_changed.disconnect(changed)


def patch(client: Client, conversation: Conversation, title: str) -> Any:
    body = json.dumps({"title": title})
    return client.patch(f"/api/conversations/{conversation.pk}/", body, content_type="application/json")


# --- Making and naming ------------------------------------------------------------------------------------


def test_a_new_conversation_has_an_address_and_is_listed(cast: Cast, model_card: ModelCard) -> None:
    client = cast.client("alice")
    answer = client.post("/api/conversations/", json.dumps({"title": " A \n new one"}), "application/json")
    made = answer.json()["conversation"]
    assert answer.status_code == 201
    assert made["title"] == "A new one"
    assert made["model"] == model_card.slug
    assert made["url"] == f"/c/{made['id']}/"
    assert client.get(made["url"]).context["page"]["conversation"] == made
    assert client.get("/api/conversations/").json() == {"conversations": [made], "next": None, "folders": []}


def test_a_new_conversation_needs_no_body(cast: Cast) -> None:
    answer = cast.client("alice").post("/api/conversations/", content_type="application/json")
    assert (answer.status_code, answer.json()["conversation"]["title"]) == (201, "")


def test_without_any_model_nothing_begins(cast: Cast) -> None:
    ModelCard.objects.all().delete()
    client = cast.client("alice")
    answer = client.post("/api/conversations/", content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert client.get("/").context["page"]["model"] is None
    with pytest.raises(Unavailable):
        default_model()


def test_rename_cleans_the_title_and_announces_it_after_the_commit(
    cast: Cast, heard: Any, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    conversation = talk(cast.alice, "Hi")
    with django_capture_on_commit_callbacks(execute=True):
        answer = patch(cast.client("alice"), conversation, "  Evil \u202egnp.exe\u202c\ttitle\x7f ")
        assert not heard
    assert answer.json()["conversation"]["title"] == "Evil gnp.exe title"
    assert heard == [("changed", "Evil gnp.exe title", False)]
    conversation.refresh_from_db()
    assert conversation.title == "Evil gnp.exe title"


def test_renaming_does_not_move_it_up(cast: Cast) -> None:
    first, second = talk(cast.alice, "Hi"), talk(cast.alice, "Ho")
    Conversation.objects.filter(pk=first.pk).update(updated_at=timezone.now() - timedelta(days=1))
    patch(cast.client("alice"), first, "Renamed")
    listed = cast.client("alice").get("/api/conversations/").json()["conversations"]
    assert [row["id"] for row in listed] == [str(second.pk), str(first.pk)]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("How do magnets work?", "How do magnets work?"),
        ("\n \n  second line\nthird", "second line"),
        ("tab\tand  spaces", "tab and spaces"),
        ("\u202eabc\u202c \u2066def\u2069\u200b", "abc def"),
        ("a\x00b\x1bc", "a b c"),
        ("word " * 40, ("word " * 12).strip() + "…"),
        ("x" * 100, "x" * 59 + "…"),
        ("x" * 60, "x" * 60),
        ("first\u2028second", "first"),
        ("", ""),
        (" \n\t\u200b", ""),
    ],
)
def test_a_title_is_made_of_the_first_message(text: str, title: str) -> None:
    assert title_from(text) == title
    assert len(title_from(text)) <= 60


def test_a_title_never_ends_between_a_letter_and_its_accent() -> None:
    assert title_from("x" * 58 + "q\u0323\u0316" * 10) == "x" * 58 + "…"
    families = title_from("xx" + "\U0001f468\u200d\U0001f469\u200d\U0001f467" * 30)
    assert len(families) <= 60
    assert families[-2] == "\U0001f467"


def test_title_from_a_very_long_line_is_quick() -> None:
    assert len(title_from("\u202e" * 9_000 + "word " * 200_000)) <= 60


# --- The sidebar ------------------------------------------------------------------------------------------


def all_pages(client: Client) -> tuple[Any, ...]:
    rows, cursor, pages = [], "", 0
    while cursor is not None:
        answer = client.get("/api/conversations/", {"cursor": cursor} if cursor else {})
        page = answer.json()
        rows += [row["id"] for row in page["conversations"]]
        assert len(page["conversations"]) <= 50
        cursor, pages = page["next"], pages + 1
    return rows, pages


@pytest.mark.parametrize("step", [timedelta(0), timedelta(microseconds=300), timedelta(seconds=1)])
def test_every_conversation_is_listed_once_latest_first(cast: Cast, model_card: ModelCard, step: Any) -> None:
    """Holds also when an import gave many of them the same time."""
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    made = [
        Conversation(owner=cast.alice, model=model_card, title=str(n), updated_at=start + n * step)
        for n in range(120)
    ]
    Conversation.objects.bulk_create(made)
    talk(cast.bob, "not hers")
    rows, pages = all_pages(cast.client("alice"))
    assert pages == 3
    assert len(set(rows)) == 120
    if step:
        assert rows == [str(c.pk) for c in reversed(made)]


def test_times_written_by_the_database_and_by_python_mix(cast: Cast, model_card: ModelCard) -> None:
    """On SQLite the database writes milliseconds and Python microseconds, and text is compared."""
    for n in range(60):
        talk(cast.alice, title=str(n))
    for conversation in Conversation.objects.all()[::2]:
        conversation.updated_at = timezone.now()
        conversation.save()
    rows, pages = all_pages(cast.client("alice"))
    assert (len(rows), len(set(rows)), pages) == (60, 60, 2)


def test_fifty_are_one_page(cast: Cast) -> None:
    for n in range(50):
        talk(cast.alice, title=str(n))
    assert cast.client("alice").get("/api/conversations/").json()["next"] is None


@pytest.mark.parametrize("bad", ["x", "-1", "1-", "9" * 15 + "-1", "1-9999999", "１-1 ", "0-0'"])
def test_cursors_that_lead_nowhere_are_refused(cast: Cast, bad: str) -> None:
    answer = cast.client("alice").get("/api/conversations/", {"cursor": bad})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input")


# --- The page ---------------------------------------------------------------------------------------------


def test_the_first_page_has_no_conversation(cast: Cast, model_card: ModelCard) -> None:
    page = cast.client("alice").get("/").context["page"]
    assert page["user"] == {"id": str(cast.alice.pk), "name": cast.alice.get_short_name()}
    assert page["model"]["slug"] == model_card.slug
    assert page["model"]["is_demo"] == model_card.is_demo
    assert page["max_chars"] == 4 * model_card.context_tokens
    assert page["conversation"] is None
    assert (page["messages"], page["more"], page["conversations"], page["next"]) == ([], False, [], None)
    assert page["shares"] == []
    assert page["is_staff"] is False
    assert page["usage"]["limit"] > 0


def test_the_page_of_a_conversation_is_its_end(cast: Cast) -> None:
    conversation, messages = long_talk(cast.alice, 120)
    page = cast.client("alice").get(conversation.get_absolute_url()).context["page"]
    assert [m["text"] for m in page["messages"]] == [f"m{n}" for n in range(70, 120)]
    assert page["more"] is True
    assert page["conversation"]["id"] == str(conversation.pk)
    assert page["messages"][-1]["parent"] == str(messages[-2].pk)


# --- Deleting ---------------------------------------------------------------------------------------------


def delete(client: Client, conversation: Conversation) -> Any:
    return client.delete(f"/api/conversations/{conversation.pk}/")


def long_ago(conversation: Conversation) -> None:
    Conversation.objects.filter(pk=conversation.pk).update(deleted_at=timezone.now() - timedelta(seconds=61))


def test_a_deleted_conversation_is_gone_at_once(
    cast: Cast, heard: Any, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    conversation = talk(cast.alice, "Hi", "Hello")
    client = cast.client("alice")
    with django_capture_on_commit_callbacks(execute=True):
        assert delete(client, conversation).status_code == 204
    assert heard == [("deleted", conversation.pk), ("changed", "A talk", True)]
    assert client.get(conversation.get_absolute_url()).status_code == 404
    assert client.get("/api/conversations/").json()["conversations"] == []
    assert delete(client, conversation).status_code == 404


def test_deleting_twice_is_announced_once(
    cast: Cast, heard: Any, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    conversation = talk(cast.alice, "Hi")
    with django_capture_on_commit_callbacks(execute=True):
        delete_conversation(conversation=conversation)
        delete_conversation(conversation=conversation)
    assert [news[0] for news in heard] == ["deleted", "changed"]


def test_a_deleted_conversation_is_not_renamed(
    cast: Cast, heard: Any, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    conversation = talk(cast.alice, "Hi")
    Conversation.objects.filter(pk=conversation.pk).update(deleted_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        rename_conversation(conversation=conversation, title="Late")
    assert not heard
    assert Conversation.objects.get(pk=conversation.pk).title == "A talk"


def test_a_broken_listener_does_not_keep_the_others_from_hearing(
    cast: Cast,
    heard: Any,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(**_: Any) -> None:
        raise ConnectionError("Redis is down")

    signals.conversation_deleted.connect(broken)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            delete_conversation(conversation=talk(cast.alice, "Hi"))
    finally:
        signals.conversation_deleted.disconnect(broken)
    assert [news[0] for news in heard] == ["deleted", "changed"]
    assert "Redis is down" in caplog.text


def test_purge_removes_what_was_deleted_a_minute_ago(cast: Cast) -> None:
    old, fresh, kept = (talk(cast.alice, "Hi", "Hello") for _ in range(3))
    for conversation in (old, fresh):
        delete_conversation(conversation=conversation)
    long_ago(old)
    tasks.purge()
    assert set(Conversation.objects.all()) == {fresh, kept}
    assert not Message.objects.filter(conversation=old.pk).exists()
    assert not Leaf.objects.filter(conversation=old.pk).exists()


def test_purge_waits_for_a_live_reply(cast: Cast) -> None:
    conversation = talk(cast.alice, "Hi", "Hello")
    reply = live_reply(conversation)
    delete_conversation(conversation=conversation)
    long_ago(conversation)
    assert purge_deleted() == 0
    assert Message.objects.filter(pk=reply.pk).exists()
    Message.objects.filter(pk=reply.pk).update(status=MessageStatus.STOPPED)
    assert purge_deleted() == 1
    assert not Conversation.objects.filter(pk=conversation.pk).exists()


def test_purge_works_in_small_batches(
    cast: Cast, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    """Whatever the order in which the batches meet the tree, none takes more rows than it names."""
    conversation, messages = long_talk(cast.alice, 420)
    say(conversation, "another", "branch", under=messages[9])
    delete_conversation(conversation=conversation)
    long_ago(conversation)
    sizes = []

    def watch(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        answer = execute(sql, params, many, context)
        if sql.startswith('DELETE FROM "conversations_message"'):
            sizes.append(context["cursor"].rowcount)
        return answer

    from django.db import connection

    with connection.execute_wrapper(watch):
        assert purge_deleted() == 1
    assert sum(sizes) == 422
    assert max(sizes) <= 50


# --- Models -----------------------------------------------------------------------------------------------

TOLD: dict[str, Any] = {
    "slug": "grok-1",
    "name": "Grok-1",
    "about": "The open weights.",
    "context_tokens": 8192,
    "is_demo": False,
}


def test_an_announced_model_is_not_the_staffs_choice(cast: Cast, model_card: ModelCard) -> None:
    card = announce_model(**TOLD)
    assert not card.is_default
    assert default_model() == model_card
    assert list(ModelCard.objects.filter(is_default=True)) == [model_card]


def test_announced_again_it_writes_nothing(
    cast: Cast, model_card: ModelCard, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    announce_model(**TOLD)
    with django_assert_num_queries(1):
        announce_model(**TOLD)
    changed = announce_model(**{**TOLD, "about": "New words."})
    assert ModelCard.objects.get(slug="grok-1").about == changed.about == "New words."


def test_a_second_model_is_listed_after_the_default(cast: Cast, model_card: ModelCard) -> None:
    announce_model(**{**TOLD, "slug": "tiny", "name": "A tiny one"})
    assert default_model() == model_card
    assert [card.slug for card in models_for(cast.alice)] == ["scripted", "tiny"]
