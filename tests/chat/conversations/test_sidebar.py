"""Pins, archive, folders, many at once, and undo: where a conversation stands and who may move it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from chat.accounts.models import User
from chat.conversations import sidebar
from chat.conversations.bulk import PINS, UNDO_WITHIN
from chat.conversations.lifecycle import delete_conversation
from chat.conversations.models import Conversation, Folder
from chat.conversations.purge import purge_deleted
from chat.model_cards.models import ModelCard
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk

pytestmark = pytest.mark.django_db


def send(client: Client, method: str, address: str, **body: Any) -> tuple[Any, ...]:
    answer = getattr(client, method)(address, json.dumps(body), content_type="application/json")
    return answer.status_code, (answer.json() if answer.content else {})


def place(client: Client, **query: Any) -> list[Any]:
    answer = client.get("/api/conversations/", query).json()
    return [row["title"] for row in answer["conversations"]]


def patch(client: Client, conversation: Conversation, **changes: Any) -> Any:
    return send(client, "patch", f"/api/conversations/{conversation.pk}/", **changes)


def bulk(client: Client, conversations: Iterable[Any], action: str, **more: Any) -> Any:
    ids = [str(getattr(each, "pk", each)) for each in conversations]
    return send(client, "post", "/api/conversations/bulk/", ids=ids, action=action, **more)


def many(owner: User, model: ModelCard, count: int, **fields: Any) -> Any:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        Conversation(
            owner=owner, model=model, title=f"c{n}", updated_at=start + timedelta(minutes=n), **fields
        )
        for n in range(count)
    ]
    return Conversation.objects.bulk_create(rows, batch_size=500)


@pytest.fixture
def alice(cast: Cast) -> Client:
    return cast.client("alice")


# --- Places -----------------------------------------------------------------------------------------------


def test_a_conversation_is_listed_in_one_place(cast: Cast, alice: Client) -> None:
    one, _two = talk(cast.alice, "Hi", title="one"), talk(cast.alice, "Ho", title="two")
    status, answer = send(alice, "post", "/api/folders/", name=" Recipes ")
    folder = answer["folder"]
    assert (status, folder["name"]) == (201, "Recipes")

    status, answer = patch(alice, one, folder=folder["id"])
    assert (status, answer["conversation"]["folder"]) == (200, folder["id"])
    assert place(alice) == ["two"]
    assert place(alice, folder=folder["id"]) == ["one"]

    patch(alice, one, pinned=True)
    assert place(alice) == ["one", "two"]
    assert place(alice, folder=folder["id"]) == []

    _, answer = patch(alice, one, archived=True)
    assert (answer["conversation"]["archived"], answer["conversation"]["pinned"]) == (True, False)
    assert place(alice) == ["two"]
    assert place(alice, archived="1") == ["one"]

    patch(alice, one, archived=False)
    assert place(alice, folder=folder["id"]) == ["one"]
    patch(alice, one, folder=None)
    assert sorted(place(alice)) == ["one", "two"]
    assert place(alice, archived="1") == []


def test_pinning_takes_out_of_the_archive(cast: Cast, alice: Client) -> None:
    conversation = talk(cast.alice, "Hi")
    patch(alice, conversation, archived=True)
    _, answer = patch(alice, conversation, pinned=True)
    assert (answer["conversation"]["archived"], answer["conversation"]["pinned"]) == (False, True)


def test_pinned_conversations_are_listed_once_over_all_pages(
    cast: Cast, alice: Client, model_card: ModelCard
) -> None:
    made = many(cast.alice, model_card, 130)
    bulk(alice, made[:3], "pin")
    rows, cursor, pages = [], "", 0
    while cursor is not None:
        answer = alice.get("/api/conversations/", {"cursor": cursor} if cursor else {}).json()
        rows += [row["title"] for row in answer["conversations"]]
        cursor, pages = answer["next"], pages + 1
    assert pages == 3
    assert rows == ["c2", "c1", "c0", *(f"c{n}" for n in reversed(range(3, 130)))]


def test_so_many_can_be_pinned(cast: Cast, alice: Client, model_card: ModelCard) -> None:
    made = many(cast.alice, model_card, PINS + 1)
    assert bulk(alice, made[:PINS], "pin")[0] == 200
    assert bulk(alice, made[:2], "pin")[0] == 200  # those that are pinned already are not counted twice
    status, answer = patch(alice, made[-1], pinned=True)
    assert (status, answer["error"]["code"]) == (400, "bad_input")
    assert str(PINS) in answer["error"]["words"]
    made[-1].refresh_from_db()
    assert made[-1].pinned is False


def test_archived_conversations_open_as_ever(cast: Cast, alice: Client) -> None:
    conversation = talk(cast.alice, "Hi")
    patch(alice, conversation, archived=True)
    assert alice.get(conversation.get_absolute_url()).status_code == 200


def test_a_title_and_a_place_are_changed_at_once(cast: Cast, alice: Client) -> None:
    conversation = talk(cast.alice, "Hi")
    _, answer = patch(alice, conversation, title="Both", pinned=True)
    assert (answer["conversation"]["title"], answer["conversation"]["pinned"]) == ("Both", True)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"pinned": 1}, 400),
        ({"archived": "yes"}, 400),
        ({"pinned": None}, 400),
        ({"folder": "x"}, 404),
        ({"folder": 3}, 404),
        ({"folder": str(uuid4())}, 404),
        ({}, 400),
        ({"owner": "x"}, 400),
    ],
)
def test_changes_that_are_none(cast: Cast, alice: Client, changes: Any, status: int) -> None:
    conversation = talk(cast.alice, "Hi")
    assert patch(alice, conversation, **changes)[0] == status
    conversation.refresh_from_db()
    assert (conversation.pinned, conversation.archived, conversation.folder_id) == (False, False, None)


# --- Folders ----------------------------------------------------------------------------------------------


# Of Unicode 15, 16 and 17, one that has no character yet, and an old one.
@pytest.mark.parametrize(
    "emoji", ["\U0001fae8", "\U0001fadc", "\U0001fac8", "\U0001fadd", "\U0001f433"], ids=ascii
)
def test_titles_and_folders_keep_emoji_of_any_age(cast: Cast, alice: Client, emoji: str) -> None:
    conversation = talk(cast.alice, "Hi")
    _, answer = patch(alice, conversation, title=f"{emoji} ideas")
    assert answer["conversation"]["title"] == f"{emoji} ideas"
    status, answer = send(alice, "post", "/api/folders/", name=emoji)
    assert (status, answer["folder"]["name"]) == (201, emoji)


def test_a_folder_is_renamed_and_its_end_keeps_what_is_in_it(cast: Cast, alice: Client) -> None:
    _, answer = send(alice, "post", "/api/folders/", name="Old")
    address = f"/api/folders/{answer['folder']['id']}/"
    conversation = talk(cast.alice, "Hi", title="kept")
    patch(alice, conversation, folder=answer["folder"]["id"])
    _, answer = send(alice, "patch", address, name="N\u202eew")
    assert alice.get("/api/folders/").json() == {"folders": [answer["folder"]]}
    assert answer["folder"]["name"] == "New"
    assert alice.get("/").context["page"]["folders"] == [answer["folder"]]
    assert alice.delete(address).status_code == 204
    assert alice.get("/api/folders/").json() == {"folders": []}
    assert place(alice) == ["kept"]
    assert alice.delete(address).status_code == 404


@pytest.mark.parametrize("name", [None, 3, "", " \u200b ", "x" * 61])
def test_names_that_are_none(alice: Client, name: int | str | None) -> None:
    status, answer = send(alice, "post", "/api/folders/", name=name)
    assert (status, answer["error"]["code"]) == (400, "bad_input")
    assert not Folder.objects.exists()


def test_folders_have_a_limit(cast: Cast, alice: Client) -> None:
    Folder.objects.bulk_create([Folder(owner=cast.alice, name=str(n)) for n in range(100)])
    assert send(alice, "post", "/api/folders/", name="one too many")[0] == 400
    assert send(cast.client("bob"), "post", "/api/folders/", name="his first")[0] == 201


@pytest.mark.parametrize("who", ["bob", "staff", "anonymous"])
def test_a_foreign_folder_and_an_unknown_one_look_the_same(cast: Cast, who: str) -> None:
    folder = Folder.objects.create(owner=cast.alice, name="Hers")
    client, answers = cast.client(who), []
    for pk in (folder.pk, uuid4()):
        address = f"/api/folders/{pk}/"
        answers.append(
            (
                send(client, "patch", address, name="Mine"),
                client.delete(address).json(),
                client.get("/api/conversations/", {"folder": str(pk)}).json(),
            )
        )
    assert answers[0] == answers[1]
    assert answers[0][0][0] == (401 if who == "anonymous" else 404)
    folder.refresh_from_db()
    assert folder.name == "Hers"


def test_nothing_moves_into_a_foreign_folder(cast: Cast, alice: Client) -> None:
    folder = Folder.objects.create(owner=cast.bob, name="His")
    conversation = talk(cast.alice, "Hi")
    assert patch(alice, conversation, folder=str(folder.pk))[0] == 404
    assert bulk(alice, [conversation], "move", folder=str(folder.pk))[0] == 404
    conversation.refresh_from_db()
    assert conversation.folder_id is None


def test_other_tabs_hear_of_folders_and_places(
    cast: Cast,
    alice: Client,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    from chat.turns import events

    sent: list[tuple[Any, dict[str, Any]]] = []

    def publish(owner: Any, frame: Any) -> None:
        sent.append((owner, msgspec.to_builtins(frame)))

    monkeypatch.setattr(events, "publish_sync", publish)
    conversation = talk(cast.alice, "Hi")
    with django_capture_on_commit_callbacks(execute=True):
        send(alice, "post", "/api/folders/", name="New")
    with django_capture_on_commit_callbacks(execute=True):
        patch(alice, conversation, pinned=True)
    assert [(owner, frame["type"]) for owner, frame in sent] == [
        (cast.alice.pk, "folders"),
        (cast.alice.pk, "conversation"),
    ]
    assert sent[0][1]["folders"] == alice.get("/api/folders/").json()["folders"]
    assert sent[1][1]["conversation"]["pinned"] is True


# --- Many at once -----------------------------------------------------------------------------------------


def test_bulk_actions_skip_conversations_of_others(cast: Cast, alice: Client) -> None:
    mine, bobs = talk(cast.alice, "Hi"), talk(cast.bob, "Hi")
    gone = talk(cast.alice, "Hi")
    delete_conversation(conversation=gone)
    for action in ("archive", "pin", "delete"):
        status, answer = bulk(alice, [mine, bobs, gone, uuid4(), "x"], action)
        assert status == 200
        assert [row["id"] for row in answer["conversations"]] == [str(mine.pk)]
    assert bulk(alice, [bobs, gone], "restore")[1]["conversations"][0]["id"] == str(gone.pk)
    bobs.refresh_from_db()
    assert (bobs.archived, bobs.pinned, bobs.deleted_at) == (False, False, None)


def test_many_are_moved(cast: Cast, alice: Client, model_card: ModelCard) -> None:
    folder = Folder.objects.create(owner=cast.alice, name="Here")
    made = many(cast.alice, model_card, 5)
    bulk(alice, made[1:], "move", folder=str(folder.pk))
    assert place(alice, folder=folder.pk) == ["c4", "c3", "c2", "c1"]
    bulk(alice, made[3:], "move", folder=None)
    assert place(alice) == ["c4", "c3", "c0"]


def test_a_deletion_can_be_undone(
    cast: Cast, alice: Client, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    from chat.conversations import signals

    news = []

    def changed(conversation: Conversation, deleted: Any, **_: Any) -> None:
        news.append((conversation.title, deleted))

    signals.conversation_changed.connect(changed)
    made = [talk(cast.alice, "Hi", "Hello", title=title) for title in ("one", "two")]
    try:
        with django_capture_on_commit_callbacks(execute=True):
            bulk(alice, made, "delete")
        assert place(alice) == []
        assert alice.get(made[0].get_absolute_url()).status_code == 404
        with django_capture_on_commit_callbacks(execute=True):
            bulk(alice, made, "restore")
    finally:
        signals.conversation_changed.disconnect(changed)
    assert sorted(place(alice)) == ["one", "two"]
    assert sorted(news) == [("one", False), ("one", True), ("two", False), ("two", True)]
    assert made[0].messages.count() == 2


def test_a_deletion_cannot_be_undone_after_its_time(cast: Cast, alice: Client) -> None:
    conversation = talk(cast.alice, "Hi")
    delete_conversation(conversation=conversation)
    late = timezone.now() - UNDO_WITHIN - timedelta(seconds=1)
    Conversation.objects.filter(pk=conversation.pk).update(deleted_at=late)
    assert bulk(alice, [conversation], "restore") == (200, {"conversations": []})
    assert purge_deleted() == 0  # nor is it taken apart yet: the two never meet
    assert place(alice) == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"ids": "x", "action": "delete"},
        {"ids": [1], "action": "delete"},
        {"ids": [], "action": "explode"},
        {"ids": [], "action": ["delete"]},
        {"ids": ["x"] * 101, "action": "delete"},
    ],
)
def test_bulk_bodies_that_are_none(alice: Client, body: Any) -> None:
    status, answer = send(alice, "post", "/api/conversations/bulk/", **body)
    assert (status, answer["error"]["code"]) == (400, "bad_input")


def test_anonymous_people_do_nothing(cast: Cast) -> None:
    assert bulk(cast.client("anonymous"), [talk(cast.alice, "Hi")], "delete")[0] == 401


# --- Cost -------------------------------------------------------------------------------------------------


def test_queries_do_not_grow_with_the_data(cast: Cast, alice: Client, model_card: ModelCard) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            alice.get("/api/conversations/")
        return len(seen)

    alice.get("/")  # a first visit is noted (chat/accounts/devices.py)
    few = queries()
    folder = Folder.objects.create(owner=cast.alice, name="Here")
    made = many(cast.alice, model_card, 300)
    many(cast.alice, model_card, 300, folder=folder)
    many(cast.alice, model_card, 300, archived=True)
    bulk(alice, made[:20], "pin")
    assert queries() == few


def test_the_recent_ones_are_found_by_the_index(cast: Cast, model_card: ModelCard) -> None:
    many(cast.alice, model_card, 300, archived=True)
    rows = sidebar._listed(cast.alice).filter(archived=False, pinned=False, folder=None)[:51]
    if connection.vendor == "sqlite":  # PostgreSQL chooses by the size of the table
        assert "conversation_places" in rows.explain()
