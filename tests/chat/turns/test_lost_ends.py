"""A reply whose end does not come through its log: Redis lost what the page had seen of it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import override_settings

from chat.turns import hub
from chat.turns.models import Generation
from chat.turns.reconcile import reconcile
from chat.turns.stopping import request_stop

pytestmark = [pytest.mark.django_db(transaction=True)]


def end(runtime: Any) -> None:
    """The worker writes nothing any more."""
    runtime.close()
    for thread in threading.enumerate():
        if thread.name == "writer":
            thread.join()


@pytest.mark.parametrize(("log", "run"), [("ends below what was shown", 0), ("is gone", 0), ("is gone", 1)])
async def test_a_page_gets_the_end_without_a_reload(
    tabs: Any, broker: Any, redis_client: Any, monkeypatch: pytest.MonkeyPatch, log: str, run: int
) -> None:
    """Redis' data and the worker are lost; the person has stopped the reply, so nobody writes it again."""
    monkeypatch.setattr(hub, "ENDS_SECONDS", 0.2)
    runtime = broker.start_worker()
    tab = await tabs("alice")
    await tab.say(type="send", conversation=None, parent=None, content="slow:500:10", client_id="c")
    ack = await tab.until("ack")
    while (await tab.until("token"))["seq"] < 5:
        pass
    await asyncio.to_thread(end, runtime)
    redis_client.flushdb()
    row = await Generation.objects.aget(pk=ack["generation_id"])
    await sync_to_async(request_stop)(row)
    with override_settings(RECONCILE_AGE_SECONDS=-60, REDIS_REST_SECONDS=0.001):
        for _ in range(3):
            await sync_to_async(reconcile)()
            await asyncio.sleep(0.01)
    await row.arefresh_from_db()
    assert row.status == "stopped"
    if log == "is gone":
        await Generation.objects.filter(pk=row.pk).aupdate(run=run)
        redis_client.flushdb()
    done = await tab.until("done")
    assert (done["message_id"], done["status"]) == (ack["message_id"], "stopped")
    assert done.get("run", 0) == run  # a page ignores the end of an older run
    # Another text than the page's, so that it asks for the saved one (docs/protocol.md).
    await tab.say(type="resume", message_id=ack["message_id"], after=0)
    assert (await tab.until("message"))["message"]["text"] == ""
    assert (await tab.until("done"))["length"] == 0
