"""Replies that cannot be made: the engine fails, no worker runs, the row is broken, the chat is deleted."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db.models.functions import Now
from django.test import override_settings

from chat.conversations.lifecycle import delete_conversation
from chat.conversations.models import Conversation, Message
from chat.model_cards.models import ModelCard
from chat.quotas.models import UsageCounter
from chat.turns.models import Generation
from chat.turns.tasks import reconcile
from tests.chat.turns.exchange import asked_twice, eventually, send

pytestmark = [pytest.mark.django_db(transaction=True)]


async def test_a_row_that_cannot_be_repaired_does_not_hold_up_the_others(
    tabs: Any, broker: Any, redis_client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """All three are lost with Redis: the question of one was hidden meanwhile, another is broken."""
    alice, bob, stranger = await tabs("alice"), await tabs("bob"), await tabs("stranger")
    hidden, _ = await asked_twice(alice)
    await bob.say(**send("broken"))
    broken = await bob.until("ack")
    await stranger.say(**send("sound"))
    sound = await stranger.until("ack")
    await Message.objects.filter(pk=hidden.pk).aupdate(hidden_at=Now())
    await Generation.objects.filter(pk=broken["generation_id"]).aupdate(parameters={})
    redis_client.flushall()
    with override_settings(RECONCILE_AGE_SECONDS=-60, REDIS_REST_SECONDS=0.001):
        for _ in range(3):  # the first only notes that Redis is new
            await sync_to_async(reconcile)()
            await asyncio.sleep(0.01)
        assert await Generation.objects.filter(message__parent=hidden, status="stopped").acount() == 2
        mended = await Generation.objects.aget(pk=sound["generation_id"])
        left = await Generation.objects.aget(pk=broken["generation_id"])
    assert (mended.attempt, mended.status) == (2, "queued")
    assert (left.attempt, left.status) == (1, "queued")
    assert f"not mended: {left.pk}" in caplog.text
    broker.start_worker()
    broker.ticket("scripted")
    assert (await stranger.reply())[0] == "sound"


async def test_deleting_a_chat_stops_its_reply_and_gives_no_quota_back(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("slow:500:10"))
    ack = await tab.next()
    await tab.until("token")
    conversation = await Conversation.objects.aget(pk=ack["conversation"]["id"])
    await sync_to_async(delete_conversation)(conversation=conversation)
    assert (await tab.until("done"))["status"] == "stopped"
    counter = await eventually(lambda: UsageCounter.objects.filter(reserved=0).first())
    assert counter.used > 0


@pytest.mark.parametrize(
    ("script", "words"), [("nan:", "not a number"), ("oom:", "out of memory")], ids=["nan", "oom"]
)
async def test_a_failure_of_the_engine_is_explained(tabs: Any, broker: Any, script: str, words: str) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send(script))
    await tab.until("ack")
    _, done = await tab.reply()
    assert done["status"] == "failed"
    assert words in done["words"]
    await tab.say(**send("the next one works"))
    await tab.until("ack")
    assert (await tab.reply())[0] == "the next one works"


async def test_without_a_model_the_answer_is_clear(tabs: Any, broker: Any) -> None:
    tab = await tabs("alice")
    await sync_to_async(ModelCard.objects.all().delete)()
    await tab.say(**send("anybody?"))
    error = await tab.next()
    assert error["type"] == "error"
    assert not await Conversation.objects.aexists()
