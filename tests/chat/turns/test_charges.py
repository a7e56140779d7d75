"""Charges of a reply for each kind of end, as GET /api/usage/ shows them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import override_settings

from chat.moderation.models import Rule
from chat.turns.models import Generation
from chat.turns.reconcile import reconcile

pytestmark = [pytest.mark.django_db(transaction=True)]

NOTHING = (0, 0)


async def usage(cast: Any) -> tuple[int, int]:
    """Tokens that alice used today, and those that are reserved, as her pages show them."""
    client = await sync_to_async(cast.client)("alice")
    told = (await sync_to_async(client.get)("/api/usage/")).json()
    return told["used"], told["reserved"]


async def settled_usage(cast: Any, seconds: float = 10.0) -> tuple[int, int]:
    """Returns the usage once nothing is reserved any more."""
    deadline = asyncio.get_running_loop().time() + seconds
    while (told := await usage(cast))[1]:
        assert asyncio.get_running_loop().time() < deadline, f"still reserved: {told}"
        await asyncio.sleep(0.05)
    return told


async def ask(tab: Any, content: str) -> dict[str, Any]:
    await tab.say(type="send", conversation=None, parent=None, content=content, client_id=content[:60])
    ack: dict[str, Any] = await tab.until("ack")
    return ack


async def mend() -> None:
    """Passes of reconcile until it no longer rests; every live row is old enough."""
    with override_settings(RECONCILE_AGE_SECONDS=-60, REDIS_REST_SECONDS=0.001, QUEUE_TIMEOUT=0):
        for _ in range(3):
            await sync_to_async(reconcile)()
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("script", ["oom:", "nan:", "raise:"])
async def test_a_failure_of_the_engine_is_charged_to_nobody(
    tabs: Any, broker: Any, cast: Any, script: str
) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await ask(tab, script)
    assert (await tab.until("done"))["status"] == "failed"
    assert await settled_usage(cast) == NOTHING


async def test_a_model_that_nobody_ran_is_charged_to_nobody(tabs: Any, broker: Any, cast: Any) -> None:
    tab = await tabs("alice")
    await ask(tab, "is anybody there?")
    assert (await usage(cast))[1] > 0
    await mend()
    done = await tab.until("done")
    assert (done["status"], "not running" in done["words"]) == ("failed", True)
    assert await settled_usage(cast) == NOTHING


async def test_tokens_that_were_shown_before_a_failure_are_charged_to_nobody(
    tabs: Any, broker: Any, cast: Any
) -> None:
    """Given up after two deaths of its worker, in the middle of its text."""
    broker.start_worker()
    tab = await tabs("alice")
    ack = await ask(tab, "slow:500:20")
    await tab.until("token")
    await Generation.objects.filter(pk=ack["generation_id"]).aupdate(strikes=2)
    await mend()
    done = await tab.until("done")
    assert (done["status"], done["usage"]["completion_tokens"] > 0) == ("failed", True)
    assert await settled_usage(cast) == NOTHING
    made = await Generation.objects.aget(pk=ack["generation_id"])
    assert made.completion_tokens > 0, "what was generated is still known"


async def test_a_failure_gives_the_whole_day_back(tabs: Any, broker: Any, cast: Any) -> None:
    """However often it fails, the next question is not refused for it."""
    broker.start_worker()
    tab = await tabs("alice")
    with override_settings(DAILY_TOKENS=100):
        for number in range(4):
            await ask(tab, f"oom: number {number} {'word ' * 30}")
            assert (await tab.until("done"))["status"] == "failed"
            assert await settled_usage(cast) == NOTHING
        await ask(tab, "hello")
        assert (await tab.until("done"))["status"] == "complete"
    assert await settled_usage(cast) == (2, 0)


async def test_a_stopped_reply_is_charged_for_its_generated_tokens(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack = await ask(tab, "slow:500:10")
    await tab.until("token")
    await tab.say(type="stop", message_id=ack["message_id"])
    done = await tab.until("done")
    assert done["status"] == "stopped"
    assert await settled_usage(cast) == (1 + done["usage"]["completion_tokens"], 0)


async def test_a_reply_refused_by_a_rule_is_charged(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    await Rule.objects.acreate(name="r", options={"pattern": "w7"}, words="Not here.", applies="reply")
    tab = await tabs("alice")
    await ask(tab, "slow:20:1")
    assert (await tab.until("done"))["status"] == "refused"
    assert (await settled_usage(cast))[0] > 0
