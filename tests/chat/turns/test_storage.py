"""A full disk on the websocket: turns are refused with words, pages get a frame, and stops still work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from chat.conversations.models import Conversation, Message
from chat.core import storage
from chat.quotas.models import UsageEntry
from chat.turns import connection as sockets
from chat.turns import socket_monitor
from chat.turns.models import Generation
from chat.turns.tasks import finish_generation, reconcile

pytestmark = pytest.mark.django_db(transaction=True)

ENOUGH = 1 << 60


def send(content: str, client_id: str = "c1") -> dict[str, Any]:
    return {
        "type": "send",
        "conversation": None,
        "parent": None,
        "content": content,
        "client_id": client_id,
    }


@pytest.fixture(autouse=True)
def checks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_monitor, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr("inference.base.disk_space.CACHE_SECONDS", 0.0)
    monkeypatch.setattr(storage, "_refused_at", float("-inf"))
    monkeypatch.setattr(storage.DISKS, "_cached", {})  # what is seen here is not remembered for the next test


@pytest.mark.parametrize("verb", ["send", "regenerate", "continue"])
async def test_below_the_limit_of_free_space_new_turns_are_refused(
    tabs: Any, broker: Any, verb: str, monkeypatch: Any
) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("echo:one"))
    ack = await tab.until("ack")
    await tab.reply()
    monkeypatch.setattr(storage.DISKS, "low", ENOUGH)
    before = await Message.objects.acount()
    frame = {"type": verb, "message_id": ack["message_id"], "client_id": "c9"}
    await tab.say(**(send("two", client_id="c9") if verb == "send" else frame))
    error = await tab.until_error()
    assert (error["code"], error["client_id"]) == ("storage_full", "c9")
    assert "no room" in error["words"]
    assert await Message.objects.acount() == before


async def test_pages_get_a_frame_when_the_disk_is_full_and_when_it_is_free(
    tabs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = await tabs("alice")
    assert tab.first["writable"] is True
    with monkeypatch.context() as patched:
        patched.setattr(storage.DISKS, "low", ENOUGH)
        assert await tab.until("storage") == {"type": "storage", "writable": False}
        late = await tabs("bob")
        assert late.first["writable"] is False
    assert await tab.until("storage") == {"type": "storage", "writable": True}
    assert await late.until("storage") == {"type": "storage", "writable": True}


# PostgreSQL's error of a full disk, on whichever of the pool's connections a reply is settled.
REFUSES = """
CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE 'no space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER refuses BEFORE UPDATE ON turns_generation FOR EACH STATEMENT EXECUTE FUNCTION refuses()
"""


@asynccontextmanager
async def full_disk() -> AsyncIterator[None]:
    """Within it no reply can be settled; on SQLite, by the thread that runs the tasks here."""
    on, off = (
        ("PRAGMA query_only = ON", "PRAGMA query_only = OFF")
        if connection.vendor == "sqlite"
        else (REFUSES, "DROP FUNCTION refuses CASCADE")
    )
    await sync_to_async(execute)(on)
    try:
        yield
    finally:
        await sync_to_async(execute)(off)


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


async def test_a_reply_that_cannot_be_stored_is_settled_once_there_is_room(tabs: Any, broker: Any) -> None:
    """The finish task fails, and so does reconcile; later one of them settles and charges it, once."""
    broker.may_finish.clear()
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("echo:one two three"))
    ack = await tab.until("ack")
    text, _done = await tab.reply()
    async with full_disk():
        await sync_to_async(finish_generation)(ack["generation_id"], 1)  # no exception: it waits
        await sync_to_async(reconcile)()
    row = await Generation.objects.aget(pk=ack["generation_id"])
    assert row.status in ("queued", "running")
    await sync_to_async(finish_generation)(ack["generation_id"], 1)
    await sync_to_async(finish_generation)(ack["generation_id"], 1)
    row = await Generation.objects.select_related("message").aget(pk=ack["generation_id"])
    assert (row.status, row.message.text) == ("complete", text)
    assert await UsageEntry.objects.filter(settled_at__isnull=False).acount() == 1


async def test_a_stop_works_with_a_full_disk(tabs: Any, broker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("slow:400:20"))
    ack = await tab.until("ack")
    await tab.until("token")

    monkeypatch.setattr("chat.turns.stopping.write_if_room", lambda write: None)  # there is no room
    await tab.say(type="stop", message_id=ack["message_id"])
    while (frame := await tab.next())["type"] != "done":
        assert frame["type"] in {"token", "queued"}, frame
    assert frame["status"] == "stopped"


async def in_each_thread(statement: str) -> None:
    """All threads that serve sockets, each with its own connection, at the same time."""
    threads = sockets.DATABASE_THREADS._max_workers
    together = threading.Barrier(threads, timeout=10)

    def run() -> None:
        together.wait()
        execute(statement)

    each = sync_to_async(run, thread_sensitive=False, executor=sockets.DATABASE_THREADS)
    await asyncio.gather(*(each() for _ in range(threads)))


async def test_a_connection_from_before_a_recovery_is_not_used_again(
    tabs: Any, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite keeps a connection read-only that was opened on a read-only disk."""
    if connection.vendor != "sqlite":
        pytest.skip("a connection to PostgreSQL is borrowed anew for each frame")
    tab = await tabs("alice")
    await in_each_thread("PRAGMA query_only = ON")
    try:
        monkeypatch.setattr(storage.DISKS, "recoveries", storage.DISKS.recoveries + 1)
        await tab.say(**send("echo:one"))
        await tab.until("ack")
    finally:
        await in_each_thread("PRAGMA query_only = OFF")
    assert await Conversation.objects.acount() == 1
