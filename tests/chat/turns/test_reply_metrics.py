"""Times and counts of a reply, from its end to /metrics and the staff's engine page."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from django.test import Client

from chat.turns import redis_client, reply_metrics
from chat.turns.models import Generation
from inference.wire import queue, scripts
from tests.grokweb.service import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]


@sync_to_async
def scrape() -> str:
    text: str = Client().get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()
    return text


def sample(text: str, name: str, **labels: str) -> float | None:
    """The value of the one series with these labels among its own."""
    found = [
        line
        for line in text.splitlines()
        if line.startswith((f"{name}{{", f"{name} ")) and all(f'{k}="{v}"' in line for k, v in labels.items())
    ]
    assert len(found) <= 1, found
    return float(found[0].rpartition(" ")[2]) if found else None


async def ask(tabs: Any, broker: Any, content: str) -> str:
    tab = await tabs("alice")
    await tab.say(type="send", conversation=None, parent=None, content=content, client_id="c1")
    ack = await tab.until("ack")
    await tab.reply()
    pk: str = ack["generation_id"]
    await sync_to_async(eventually)(
        lambda: reply_metrics.replies("scripted").ended, "counted after the settlement", 10
    )
    return pk


async def test_times_of_a_reply_are_in_its_row_and_in_the_metrics(tabs: Any, broker: Any) -> None:
    worker = broker.start_worker(slots=3)
    pk = await ask(tabs, broker, "slow:5:20")
    row = await Generation.objects.aget(pk=pk)
    assert 0 <= row.queued_ms <= row.first_token_ms <= row.total_ms
    assert row.total_ms >= 4 * 20
    worker._beat()
    text = await scrape()
    assert sample(text, "grokweb_redis_up") == 1
    assert sample(text, "grokweb_queue_waiting", model="scripted") == 0
    assert sample(text, "grokweb_workers", model="scripted") == 1
    of_worker = {"model": "scripted", "worker": worker.name}
    assert (
        sample(text, "grokweb_worker_info", **of_worker, back_end="scripted", fingerprint="scripted-1") == 1
    )
    assert sample(text, "grokweb_worker_slots", **of_worker) == 3
    assert sample(text, "grokweb_engine_tokens_total", **of_worker) == 5
    assert sample(text, "grokweb_engine_cache_used", **of_worker) is None  # this engine has none
    assert sample(text, "grokweb_replies_total", model="scripted", status="complete") == 1
    assert sample(text, "grokweb_reply_completion_tokens_total", model="scripted") == 5
    for name in ("queued_seconds", "first_token_seconds", "token_seconds", "tokens"):
        assert sample(text, f"grokweb_reply_{name}_count", model="scripted") == 1, name
    assert sample(text, "grokweb_reply_first_token_seconds_sum", model="scripted") == pytest.approx(
        row.first_token_ms / 1000
    )


async def test_a_reply_that_never_began_has_no_times(tabs: Any, broker: Any) -> None:
    tab = await tabs("alice")
    await tab.say(type="send", conversation=None, parent=None, content="hello", client_id="c1")
    ack = await tab.until("ack")
    await tab.say(type="stop", message_id=ack["message_id"])
    await tab.until("done")
    await sync_to_async(eventually)(lambda: reply_metrics.replies("scripted").ended, "counted", 10)
    row = await Generation.objects.aget(pk=ack["generation_id"])
    assert (row.status, row.queued_ms, row.first_token_ms) == ("stopped", None, None)
    assert row.total_ms is not None


async def test_without_redis_the_other_metrics_are_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = scripts.connect("redis://127.0.0.1:1/0")
    monkeypatch.setattr(redis_client, "client", lambda: nobody)
    text = await scrape()
    assert sample(text, "grokweb_redis_up") == 0
    assert "python_info" in text
    assert "grokweb_replies_total" not in text


@sync_to_async
def page(cast: Any, who: str, **headers: str) -> Any:
    return cast.client(who).get("/admin/engine/", headers=headers)


async def test_the_engine_page_shows_workers_queue_and_times(
    cast: Any, tabs: Any, broker: Any, redis_client: redis.Redis
) -> None:
    worker = broker.start_worker(slots=3)
    await ask(tabs, broker, "slow:5:20")
    worker._beat()
    shown = await page(cast, "moderator")
    assert shown.status_code == 200
    html = shown.content.decode()
    assert worker.name in html
    assert "0 of 3" in html
    assert "1 reply in the last hour" in html
    assert "slow:" not in html
    assert "Its context is 8,192 tokens, its longest." in html
    french = (await page(cast, "staff", **{"accept-language": "fr"})).content.decode()
    assert "1 réponse dans la dernière heure" in french
    assert "jusqu’au premier jeton" in french


async def test_the_engine_page_says_that_a_context_is_shortened(cast: Any, redis_client: redis.Redis) -> None:
    queue.announce_model(redis_client, "long", name="Long", context=4096, longest=32768)
    html = (await page(cast, "staff")).content.decode()
    assert (
        "Its context is 4,096 tokens; its longest would be 32,768. "
        "GROKWEB_CONTEXT and the memory for GROKWEB_SLOTS conversations decide."
    ) in html
    french = (await page(cast, "staff", **{"accept-language": "fr"})).content.decode()
    assert "Son contexte est de 4\xa0096 jetons\xa0; son maximum serait de 32\xa0768." in french


@pytest.mark.parametrize("who", ["alice", "anonymous"])
async def test_the_engine_page_is_for_staff(cast: Any, who: str) -> None:
    answer = await page(cast, who)
    assert answer.status_code == 302
    assert b"data-engine" not in answer.content


async def test_without_redis_the_engine_page_says_so(cast: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = scripts.connect("redis://127.0.0.1:1/0")
    monkeypatch.setattr(redis_client, "client", lambda: nobody)
    shown = await page(cast, "staff")
    assert "Redis does not answer" in shown.content.decode()
