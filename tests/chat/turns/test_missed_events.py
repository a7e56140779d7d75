"""Changes in one tab reach the others, also when the channel layer loses the event that carries them."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer

from chat.conversations.models import Conversation
from chat.conversations.titles import rename_conversation
from chat.turns import event_numbers, socket_monitor
from tests.chat.turns.exchange import send

pytestmark = pytest.mark.django_db(transaction=True)


async def conversation_of(tab: Any, broker: Any) -> Conversation:
    await tab.say(**send("one"))
    ack = await tab.until("ack")
    await tab.reply()
    return await Conversation.objects.aget(pk=ack["conversation"]["id"])


@pytest.fixture(autouse=True)
def worker(broker: Any) -> None:
    """Starts before any tab opens: none is told later that the model runs."""
    broker.start_worker()


@pytest.fixture(autouse=True)
def checks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_monitor, "CHECK_SECONDS", 0.2)


@pytest.fixture
def losing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Within it the channel layer is full: it drops every event, and its sender hears nothing of it."""

    async def drop(group: str, event: dict[str, Any]) -> None:
        pass

    @contextmanager
    def within() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(get_channel_layer(), "group_send", drop)
            yield

    return within


async def renamed(conversation: Conversation, title: str) -> None:
    await sync_to_async(rename_conversation)(conversation=conversation, title=title)


def number_in_page(cast: Any, who: str) -> int:
    html = cast.client(who).get("/").content.decode()
    number: int = json.loads(re.search(r'id="page"[^>]*>(.*?)</script>', html, re.S)[1])["event_number"]
    return number


async def test_a_lost_event_is_detected_when_the_next_one_comes(tabs: Any, broker: Any, losing: Any) -> None:
    tab = await tabs("alice")
    conversation = await conversation_of(tab, broker)
    with losing():
        await renamed(conversation, "lost")
    await renamed(conversation, "heard")
    await tab.until("missed")
    assert (await tab.next())["conversation"]["title"] == "heard"


async def test_a_lost_event_is_detected_when_nothing_follows(tabs: Any, broker: Any, losing: Any) -> None:
    first, second = await tabs("alice"), await tabs("alice")
    conversation = await conversation_of(first, broker)
    with losing():
        await renamed(conversation, "lost")
    for tab in (first, second):
        await tab.until("missed")


async def test_a_tab_that_got_every_event_gets_no_missed_frame(tabs: Any, broker: Any) -> None:
    first, second = await tabs("alice"), await tabs("alice")
    conversation = await conversation_of(first, broker)
    for number in range(5):
        await renamed(conversation, f"name {number}")
    for tab in (first, second):
        while (frame := await tab.next()).get("conversation", {}).get("title") != "name 4":
            assert frame["type"] in {"message", "conversation"}
        assert await tab.socket.receive_nothing(timeout=10 * socket_monitor.CHECK_SECONDS)


async def test_a_page_detects_an_event_from_before_its_socket(tabs: Any, broker: Any, cast: Any) -> None:
    conversation = await conversation_of(await tabs("alice"), broker)
    made_with = await sync_to_async(number_in_page)(cast, "alice")
    assert (await tabs("alice")).first["event_number"] == made_with
    await renamed(conversation, "meanwhile")
    assert (await tabs("alice")).first["event_number"] > made_with


async def test_a_check_that_fails_does_not_end_the_monitor(
    tabs: Any, broker: Any, losing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = await tabs("alice")
    conversation = await conversation_of(tab, broker)
    failed = threading.Event()

    def broken(users: Any) -> dict[Any, int]:
        failed.set()
        raise ValueError("an answer nobody expected")

    with monkeypatch.context() as patch:
        patch.setattr(event_numbers, "latest", broken)
        assert await asyncio.to_thread(failed.wait, 10)
    with losing():
        await renamed(conversation, "lost")
    await tab.until("missed")
