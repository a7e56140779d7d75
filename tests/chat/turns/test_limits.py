"""Limits of one person: requests, sockets, memory, places in the queue, tokens a day; rules for texts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth.models import Group
from django.db import connection
from django.test import override_settings

from chat.conversations.models import Conversation, Message
from chat.moderation.models import Rule
from chat.quotas.models import QuotaPolicy, UsageCounter
from chat.turns import connection as sockets
from chat.turns import consumers, events
from chat.turns.models import Generation
from chat.turns.outbox import Outbox
from chat.turns.socket_monitor import socket_monitor
from inference.contract import Piece
from tests.chat.turns.exchange import eventually, send
from tests.chat.turns.tab import Tab, cookie_of

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no pool of connections")
async def test_sockets_return_their_database_connections_to_the_pool(tabs: Any, broker: Any) -> None:
    def lent() -> int:
        stats = connection.pool.get_stats()  # type: ignore[attr-defined]
        return stats["pool_size"] - stats["pool_available"]

    before = lent()
    broker.start_worker()
    for tab in [await tabs("alice"), await tabs("bob")]:
        await tab.say(**send("hello"))
        await tab.reply()
    deadline = asyncio.get_running_loop().time() + 60
    while lent() > before:
        assert asyncio.get_running_loop().time() < deadline, f"{lent()} lent, {before} before"
        await asyncio.sleep(0.05)


async def test_a_socket_that_breaks_leaves_nothing_behind(
    tabs: Any, broker: Any, cast: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: Any) -> None:
        raise RuntimeError("broken")

    left: list[str] = []
    layer = get_channel_layer()
    discard = layer.group_discard

    async def noted(group: str, channel: str) -> None:
        left.append(group)
        await discard(group, channel)

    monkeypatch.setattr(layer, "group_discard", noted, raising=False)
    tab = Tab(cookie_of(await sync_to_async(cast.client)("alice")), settings.SITE_URLS[0])
    await tab.open()
    assert socket_monitor().sockets_of(cast.alice.pk) == 1
    monkeypatch.setattr(consumers.ChatConsumer, "_send_error", breaks)
    await tab.say(type="dance")
    with pytest.raises(RuntimeError, match="broken"):
        await tab.socket.wait(timeout=60)
    assert socket_monitor().sockets_of(cast.alice.pk) == 0
    assert left == [events.group(cast.alice.pk)]


async def test_a_flood_over_two_tabs_is_refused_and_nobody_else_is(
    tabs: Any, broker: Any, settings: Any
) -> None:
    settings.PERSON_RATE = 5
    tab, other = await tabs("alice"), await tabs("alice")
    for _ in range(40):
        await tab.socket.send_to(text_data="{}")
        await other.socket.send_to(text_data="{}")
    answers: list[Any] = []
    while not answers or answers[-1]["code"] != "too_many":
        answers.append(await tab.next())
    assert len(answers) <= 50, "a person's burst, not a socket's"
    assert answers[-1]["retry_after"] >= 1
    bob = await tabs("bob")
    await bob.socket.send_to(text_data="{}")
    assert (await bob.next())["code"] == "bad_frame"


async def test_a_full_queue_stores_nothing(tabs: Any, broker: Any) -> None:
    alice, bob = await tabs("alice"), await tabs("bob")
    stranger = await tabs("stranger")
    with override_settings(QUEUE_LIMIT=1):
        await alice.say(**send("waits"))
        await alice.until("ack")
        await alice.say(**send("no room"))
        assert (await alice.until_error())["code"] == "queue_full"
        await bob.say(**send("has none yet"))  # whoever fills the queue keeps nobody out alone
        await bob.until("ack")
        await stranger.say(**send("no room"))
        error = await stranger.until_error()
    assert error["code"] == "queue_full"
    assert error["retry_after"] > 0
    assert await Message.objects.filter(text="no room").acount() == 0
    assert await Conversation.objects.acount() == 2


async def test_a_groups_limit_holds_a_second_reply_back_and_nobody_else(
    tabs: Any, broker: Any, cast: Any
) -> None:
    group = await Group.objects.acreate(name="students")
    await cast.alice.groups.aadd(group)
    await QuotaPolicy.objects.acreate(group=group, tokens_per_day=100_000, running_limit=1)
    broker.start_worker(slots=4)
    alice, other, bob = await tabs("alice"), await tabs("alice"), await tabs("bob")
    await alice.say(**send("slow:500:50"))
    first = await alice.until("ack")
    await alice.until("token")
    await other.say(**send("the second"))
    assert (await other.until("queued"))["position"] == 1
    await bob.say(**send("hello"))
    assert (await bob.reply())[0] == "hello"
    await alice.say(type="stop", message_id=first["message_id"])
    frame = await other.until("token")  # the place is free, so the second runs
    assert frame["after"] == 0


async def test_the_quota_a_person_runs_into(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    await QuotaPolicy.objects.acreate(user=cast.alice, tokens_per_day=40)
    tab = await tabs("alice")
    await tab.say(**send("slow:30:1"))
    await tab.until("ack")
    text, _ = await tab.reply()
    await eventually(lambda: UsageCounter.objects.filter(reserved=0).exists())
    await tab.say(**send("more"))
    error = await tab.next()
    assert error["code"] == "quota_exceeded"
    assert "40" in error["words"]
    assert await Message.objects.filter(text="more").acount() == 0


async def test_a_blocked_pattern_refuses_the_prompt_at_once(tabs: Any, broker: Any) -> None:
    tab = await tabs("alice")
    await Rule.objects.acreate(
        name="b", options={"pattern": "forbidden (word|phrase)"}, words="Not here, please."
    )
    await tab.say(**send("a FORBIDDEN word"))
    error = await tab.next()
    assert (error["code"], error["words"]) == ("refused", "Not here, please.")
    assert not await Message.objects.aexists()


async def test_a_question_that_is_forbidden_by_now_is_not_asked_again(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("hello word"))
    ack = await tab.next()
    await tab.reply()
    await eventually(lambda: Message.objects.filter(pk=ack["message_id"], status="complete").exists())
    await Rule.objects.acreate(name="b", options={"pattern": "hello"}, words="Not here, please.")
    await tab.say(type="regenerate", message_id=ack["message_id"], client_id="again")
    error = await tab.next()
    assert (error["code"], error["words"]) == ("refused", "Not here, please.")
    assert await Generation.objects.acount() == 1


@pytest.mark.parametrize("pattern", ["w7 w8", "W7 W8"])
async def test_a_blocked_pattern_refuses_the_reply_and_shows_nothing_of_it(
    tabs: Any, broker: Any, pattern: str
) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await Rule.objects.acreate(name="b", options={"pattern": pattern}, applies="reply")
    await tab.say(**send("slow:30:2"))
    await tab.until("ack")
    text, done = await tab.reply()
    assert done["status"] == "refused"
    assert done["words"]
    assert "w7" not in text


async def test_one_person_has_a_bounded_number_of_sockets(
    tabs: Any, broker: Any, cast: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "SOCKETS_A_PERSON", 2)
    first, second = await tabs("alice"), await tabs("alice")
    cookie = cookie_of(await sync_to_async(cast.client)("alice"))
    third = Tab(cookie, settings.SITE_URLS[0])
    assert await third.open() == {"type": "close", "code": 1013}
    await third.socket.disconnect()
    await tabs("bob")
    await first.socket.disconnect()
    await tabs("alice")
    await second.say(**send("still here"))
    await second.until("ack")


async def test_an_outbox_that_nobody_empties_stays_bounded() -> None:
    outbox = Outbox()
    for number in range(3000):
        outbox.put("one", Piece(number, number + 1, "x" * 1000, ()))
    assert outbox.overflowed
    assert sum(len(item.text) for _, item in outbox.take() if isinstance(item, Piece)) < 1_010_000
