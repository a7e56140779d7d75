"""Replies that wait for tools cost the others nothing: in reconcile, in the hub, in queries."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat.turns import call_reconcile, hub, reconcile, reconcile_rest, submission
from chat.turns.access import steps_for
from chat.turns.models import Generation
from tests.chat.cast import Cast
from tests.chat.turns.calling import Page, call, ended
from tests.chat.turns.exchange import eventually, saved, send

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("called_tools")]


async def waiting(tabs: Any) -> Page:
    """A reply that waits for its person's decision about a call."""
    page = Page(await tabs("alice"), f"echo:look {call('note')}")
    await page.ask()
    await page.until_state("waiting")
    return page


async def test_a_lost_question_is_submitted_again_although_older_replies_wait_for_tools(
    tabs: Any, broker: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RECONCILE_AGE_SECONDS = -60
    monkeypatch.setattr(reconcile, "BATCH", 1)
    monkeypatch.setattr(reconcile_rest, "must_wait_for_workers", lambda live: False)
    broker.start_worker()
    await waiting(tabs)
    with monkeypatch.context() as lost:
        lost.setattr(submission, "submit", lambda request: None)
        tab = await tabs("alice")
        await tab.say(**send("echo:hello"))
        ack = await tab.until("ack")
    await sync_to_async(reconcile.reconcile)()
    assert (await saved(ack)).text == "hello"


async def test_a_next_step_begins_although_older_replies_wait_for_decisions(
    tabs: Any, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_reconcile, "BATCH", 1)
    broker.start_worker()
    await waiting(tabs)
    monkeypatch.setattr("chat.turns.call_tickets.send_next_step", lambda step: None)
    page = Page(await tabs("alice"), call("echo"))
    ack = await page.ask()
    await page.until_state("done")
    await sync_to_async(call_reconcile.reconcile_calls)()
    assert (await ended(page, ack))[0].text == "hi there"


async def test_the_hub_reads_no_more_often_while_somebody_waits_for_a_tool(
    tabs: Any, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried, calm = 0.0191, 0.0913  # as no other wait here
    monkeypatch.setattr(hub, "GATHER_FIRST_SECONDS", hurried)
    monkeypatch.setattr(hub, "GATHER_SECONDS", calm)
    waits: list[float | None] = []
    timeout = asyncio.timeout

    def noted(seconds: float | None) -> asyncio.Timeout:
        waits.append(seconds)
        return timeout(seconds)

    broker.start_worker()
    await waiting(tabs)
    step = str((await Generation.objects.aget(step=1)).pk)
    followed = hub.hub()._logs
    await eventually(lambda: step in followed)
    tab = await tabs("bob")
    await tab.say(**send("slow:400:20"))
    await tab.until("token")
    await tab.until("token")
    monkeypatch.setattr(asyncio, "timeout", noted)
    await eventually(lambda: waits.count(calm) >= 3)
    assert hurried not in waits


async def test_a_reply_of_many_steps_is_read_with_as_many_queries_as_one_of_two(
    tabs: Any, broker: Any, cast: Cast
) -> None:
    broker.start_worker()
    numbers = []
    for script in (call(), "\n".join([call()] * 5)):
        page = Page(await tabs("alice"), script)
        message, _ = await ended(page, await page.ask())

        def read(pk: Any = message.pk) -> int:
            with CaptureQueriesContext(connection) as captured:
                for step in steps_for(cast.alice, pk):
                    assert not step.has_parts or step.parts.all()[0].text
            return len(captured)

        numbers.append(await sync_to_async(read)())
    assert numbers[0] == numbers[1]
