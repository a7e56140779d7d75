"""Temporary chats: in no list, search or export, not to be shared, gone after a day; unless they are kept."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.utils import timezone

from chat.conversations import tasks
from chat.conversations.models import Conversation, Message
from chat.conversations.purge import PURGE_AFTER
from chat.turns.models import Generation
from chat.turns.requests import request_for
from tests.chat.conversations.building import live_reply, talk
from tests.chat.turns.exchange import asked, send

pytestmark = [pytest.mark.django_db(transaction=True)]
DAY = timedelta(hours=24)
MINUTE = timedelta(minutes=1)


def temporary_talk(owner: Any, *texts: str, title: str = "Passing", age: timedelta = MINUTE) -> Conversation:
    made = talk(owner, *texts, title=title)
    Conversation.objects.filter(pk=made.pk).update(temporary=True, updated_at=timezone.now() - age)
    made.refresh_from_db()
    return made


def patch(client: Client, made: Conversation, **changes: Any) -> Any:
    return client.patch(f"/api/conversations/{made.pk}/", changes, content_type="application/json")


def listed(client: Client) -> list[str]:
    """Titles of the sidebar, its archive included."""
    pages = [client.get("/api/conversations/", query).json() for query in ({}, {"archived": "1"})]
    return [each["title"] for page in pages for each in page["conversations"]]


def found(client: Client, words: str) -> list[str]:
    results = client.get("/api/search/", {"q": words}).json()["results"]
    return [each["conversation"]["title"] for each in results]


def exported(client: Client) -> str:
    pieces = b"".join(client.get("/api/export/").streaming_content)  # type: ignore[attr-defined]
    return " ".join(zipfile.ZipFile(io.BytesIO(pieces)).namelist())


async def test_a_first_message_can_make_a_temporary_chat(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack = await asked(tab, "echo:xylophone", start={"temporary": True})
    assert ack["conversation"]["temporary"] is True
    ordinary = await asked(tab, "echo:trombone", start={"temporary": False})
    assert ordinary["conversation"]["temporary"] is False

    def seen() -> None:
        alice = cast.client("alice")
        assert listed(alice) == ["echo:trombone"]
        assert (found(alice, "xylophone"), len(found(alice, "trombone"))) == ([], 3)
        assert "trombone" in exported(alice)
        assert "xylophone" not in exported(alice)
        page = alice.get(ack["conversation"]["url"])
        assert "24 hours after its last message" in page.content.decode()
        assert [each["title"] for each in page.context["page"]["conversations"]] == ["echo:trombone"]
        assert cast.client("bob").get(ack["conversation"]["url"]).status_code == 404

    await sync_to_async(seen)()


async def test_a_temporary_chat_continues_and_gets_no_title_from_a_model(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    for start, wanted in (({"temporary": True}, False), ({}, True)):
        first = await asked(tab, "echo:hello", start=start)
        generation = await Generation.objects.select_related("message__conversation").aget(
            pk=first["generation_id"]
        )
        request = await sync_to_async(lambda made: request_for(made))(generation)
        assert request.title is wanted
        again = await asked(
            tab, "echo:more", conversation=first["conversation"]["id"], parent=first["message_id"]
        )
        assert again["conversation"]["temporary"] is not wanted


async def test_a_temporary_chat_that_is_kept_is_like_any_other(tabs: Any, broker: Any, cast: Any) -> None:
    other = await tabs("alice")
    made = await sync_to_async(temporary_talk)(cast.alice, "Which xylophone?", "This one.")

    def keep() -> None:
        alice = cast.client("alice")
        answer = patch(alice, made, temporary=False, pinned=True)
        told = answer.json()["conversation"]
        assert (answer.status_code, told["temporary"], told["pinned"]) == (200, False, True)
        assert (listed(alice), found(alice, "xylophone")) == (["Passing"], ["Passing"])
        assert "Passing" in exported(alice)
        assert alice.post(f"/api/conversations/{made.pk}/share/", {}, "application/json").status_code == 201
        Conversation.objects.update(updated_at=timezone.now() - 2 * DAY)
        tasks.purge()
        assert alice.get(made.get_absolute_url()).status_code == 200

    await sync_to_async(keep)()
    frame = await other.until("conversation")
    assert (frame["conversation"]["id"], frame["conversation"]["temporary"]) == (str(made.pk), False)


@pytest.mark.parametrize(("who", "status"), [("bob", 404), ("staff", 404), ("anonymous", 401)])
def test_only_its_owner_keeps_it(cast: Any, who: str, status: int) -> None:
    made = temporary_talk(cast.alice, "Hi", "Hello")
    assert patch(cast.client(who), made, temporary=False).status_code == status
    made.refresh_from_db()
    assert made.temporary


def test_a_temporary_chat_is_not_shared_exported_or_organised(cast: Any) -> None:
    alice, made = cast.client("alice"), temporary_talk(cast.alice, "Hi", "Hello")
    address = f"/api/conversations/{made.pk}"
    refusals = {
        "shared": alice.post(f"{address}/share/", {}, content_type="application/json"),
        "exported": alice.get(f"{address}/export/?format=markdown"),
        "pinned, archived or moved": patch(alice, made, archived=True),
    }
    for what, answer in refusals.items():
        assert answer.status_code == 400
        assert answer.json()["error"]["words"] == f"A temporary chat cannot be {what}. Keep it first."
    printed = alice.get(f"{made.get_absolute_url()}print/")
    assert (printed.status_code, "cannot be exported" in printed.content.decode()) == (400, True)
    bulk = {"ids": [str(made.pk)], "action": "pin"}
    answer = alice.post("/api/conversations/bulk/", bulk, content_type="application/json")
    assert answer.json() == {"conversations": []}
    made.refresh_from_db()
    assert (made.temporary, made.archived, made.pinned, made.shares.count()) == (True, False, False, 0)


@pytest.mark.parametrize("wanted", [True, "no", None, 0])
def test_an_ordinary_chat_cannot_be_made_temporary(cast: Any, wanted: Any) -> None:
    made = talk(cast.alice, "Hi", "Hello")
    answer = patch(cast.client("alice"), made, temporary=wanted)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input")
    made.refresh_from_db()
    assert not made.temporary


def test_other_changes_leave_it_temporary(cast: Any) -> None:
    made = temporary_talk(cast.alice, "Hi", "Hello")
    told = patch(cast.client("alice"), made, title="Named", temporary=True).json()["conversation"]
    assert (told["title"], told["temporary"]) == ("Named", True)


def test_it_is_deleted_a_day_after_its_last_message(cast: Any) -> None:
    alice = cast.client("alice")
    over = temporary_talk(cast.alice, "Hi", "Over", age=DAY + MINUTE)
    nearly = temporary_talk(cast.alice, "Hi", "Nearly", age=DAY - MINUTE)
    ordinary = talk(cast.alice, "Hi", "Ordinary")
    Conversation.objects.filter(pk=ordinary.pk).update(updated_at=timezone.now() - 2 * DAY)
    tasks.purge()
    statuses = [alice.get(each.get_absolute_url()).status_code for each in (over, nearly, ordinary)]
    assert statuses == [404, 200, 200]
    Conversation.objects.filter(pk=over.pk).update(deleted_at=timezone.now() - 2 * PURGE_AFTER)
    tasks.purge()
    assert set(Conversation.objects.all()) == {nearly, ordinary}
    assert not Message.objects.filter(text="Over").exists()


async def test_open_tabs_get_its_deletion_and_a_new_message_postpones_it(
    tabs: Any, broker: Any, cast: Any
) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    over = await sync_to_async(temporary_talk)(cast.alice, "Hi", "Over", age=DAY + MINUTE)
    used = await sync_to_async(temporary_talk)(cast.alice, "Hi", "Used", age=DAY + MINUTE)
    last = await Message.objects.aget(text="Used")
    await tab.say(**send("echo:again", str(used.pk), str(last.pk)))
    await tab.until("done")
    await sync_to_async(tasks.purge)()
    while not (frame := await tab.until("conversation"))["deleted"]:
        pass
    assert frame["conversation"]["id"] == str(over.pk)
    assert {each.pk async for each in Conversation.objects.filter(deleted_at=None)} == {used.pk}


def test_its_rows_stay_while_a_reply_is_written(cast: Any) -> None:
    made = temporary_talk(cast.alice)
    live_reply(made)
    Conversation.objects.update(updated_at=timezone.now() - 2 * DAY)
    tasks.purge()
    Conversation.objects.update(deleted_at=timezone.now() - DAY)
    tasks.purge()
    assert Message.objects.filter(status="live").exists()  # purged once it is settled


def test_deleting_everything_deletes_and_counts_temporary_chats(cast: Any) -> None:
    talk(cast.alice, "Hi", "Hello")
    temporary_talk(cast.alice, "Hi", "Hello")
    alice = cast.client("alice")
    assert "You have 2 conversations." in alice.get("/settings/delete-conversations/").content.decode()
    answer = alice.post("/settings/delete-conversations/", follow=True)
    assert "2 conversations are deleted." in answer.content.decode()
    assert not Conversation.objects.filter(deleted_at=None).exists()
