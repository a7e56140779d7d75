"""The oldest turns of a long conversation are summarised in the background, and prompts use the summary."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import redis
from asgiref.sync import async_to_sync, sync_to_async
from django.utils import timezone

from chat.conversations.models import Message
from chat.moderation.models import Rule
from chat.personas.models import CustomInstructions
from chat.quotas.models import UsageCounter, UsageEntry
from chat.turns import reconcile, reply_state, submission
from chat.turns.models import Generation, Summary
from chat.turns.question import Question
from chat.turns.starting import send as send_question
from inference.contract import GenerationRequest
from inference.engines.scripted import ScriptedEngine
from inference.wire import queue as fair_queue
from inference.wire import scripts
from tests.chat.conversations.building import talk
from tests.chat.turns.exchange import eventually, send
from tests.chat.turns.summarising import LONG, SAYS, ask_in, change, long_talk, texts, written

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("short_context")]


def beat(redis_client: redis.Redis) -> None:
    fair_queue.beat(redis_client, "scripted", "w1", slots=1, busy=0, back_end="", fingerprint="", metrics={})


def asked_for(redis_client: redis.Redis, summary: Summary) -> GenerationRequest:
    payload: Any = redis_client.hget(scripts.key("gen", str(summary.pk)), "payload")
    return GenerationRequest.from_json(payload)


async def test_a_nearly_full_context_is_summarised_after_the_answer(
    tabs: Any, broker: Any, cast: Any
) -> None:
    path = await sync_to_async(long_talk)(cast)
    broker.start_worker()
    tab = await tabs("alice")
    ack = await ask_in(tab, path[-1], "echo:w1")
    summary = await eventually(lambda: Summary.objects.filter(status="ready").first())
    assert (summary.last_id, summary.text, summary.is_edited) == (path[1].pk, "They spoke of w.", False)
    while (await tab.until("message"))["message"].get("summary", {}).get("status") != "ready":
        pass
    assert await Message.objects.acount() == 8  # the tree is as it was
    answer = await Message.objects.aget(pk=ack["message_id"])
    again = await ask_in(tab, answer, "echo:again")
    question = await Message.objects.aget(text="echo:again")
    prompt = await sync_to_async(texts)(question)
    assert "They spoke of w." in prompt[0]
    assert [each.split()[0] for each in prompt[1:]] == ["w", "w", "w", "w", "echo:w1", "w1", "echo:again"]
    step = await Generation.objects.aget(pk=again["generation_id"])
    assert step.prompt.summary == summary.pk
    entry = await UsageEntry.objects.aget(pk=summary.pk)
    assert (entry.settled_at is not None, entry.completion_tokens) == (True, 4)
    counter = await UsageCounter.objects.aget()
    total = [each.prompt_tokens + each.completion_tokens async for each in UsageEntry.objects.all()]
    assert (counter.used, counter.reserved) == (sum(total), 0)


async def test_the_staffs_limit_is_the_context_that_fills_up(
    tabs: Any, broker: Any, cast: Any, model_card: Any
) -> None:
    path = await sync_to_async(long_talk)(cast)
    await type(model_card).objects.aupdate(context_tokens=100_000, context_limit=4096)
    broker.start_worker()
    await ask_in(await tabs("alice"), path[-1], "echo:w1")
    summary = await eventually(lambda: Summary.objects.filter(status="ready").first())
    assert (summary.last_id, summary.max_tokens) == (path[1].pk, 512)


@pytest.mark.parametrize(
    ("capabilities", "effort", "tokens"),
    [
        ({}, "", 375),
        ({"reasoning": True, "efforts": ["off", "high"]}, "off", 375),
        ({"reasoning": True, "efforts": ["low", "high"]}, "low", 750),
        ({"reasoning": True}, "", 750),
    ],
)
def test_a_model_thinks_as_little_as_it_can_and_gets_tokens_for_the_rest(
    cast: Any,
    broker: Any,
    redis_client: redis.Redis,
    model_card: Any,
    capabilities: Any,
    effort: str,
    tokens: int,
) -> None:
    type(model_card).objects.update(capabilities=capabilities, context_limit=3000)
    request = asked_for(redis_client, written(cast, broker, start=False)[2])
    assert (request.effort, request.max_new_tokens, request.context_limit) == (effort, tokens, 3000)


@pytest.mark.parametrize("why", ["not wanted", "small context", "instructions", "used up"])
async def test_no_summary_is_made(tabs: Any, broker: Any, cast: Any, model_card: Any, why: str) -> None:
    path = await sync_to_async(long_talk)(cast)
    if why == "not wanted":
        await CustomInstructions.objects.acreate(user=cast.alice, compact=False)
    elif why == "small context":
        await type(model_card).objects.aupdate(context_tokens=2000)
    elif why == "instructions":  # with the oldest turn they fill more than a model reads at once
        await CustomInstructions.objects.acreate(user=cast.alice, style="x" * 5700)
    broker.start_worker()
    if why == "used up":
        await UsageCounter.objects.acreate(user=cast.alice, day=timezone.now().date(), used=0)
        broker.may_finish.clear()
    tab = await tabs("alice")
    await tab.say(**send("hello", str(path[-1].conversation_id), str(path[-1].pk)))
    ack = await tab.until("ack")
    await tab.reply()
    if why == "used up":
        await UsageCounter.objects.aupdate(used=10**9)
        broker.may_finish.set()
    await eventually(lambda: Generation.objects.filter(pk=ack["generation_id"], status="complete").exists())
    await eventually(lambda: not broker.runtime.writer.running())
    assert await Summary.objects.acount() == 0


def test_a_summary_waits_behind_chats_under_its_own_key_and_stops(
    cast: Any, broker: Any, redis_client: redis.Redis
) -> None:
    answer, below, summary = written(cast, broker, start=False)
    assert change(cast, answer, "post")["status"] == "waiting"  # of another tab
    assert Summary.objects.count() == 1
    request = asked_for(redis_client, summary)
    assert (request.background, request.running_limit, request.weight) == (True, 1, 0.25)
    assert len(texts(below)) == 3  # nothing waits for it
    assert UsageCounter.objects.get().reserved > 0
    assert change(cast, answer, "delete")["status"] == "stopped"
    assert (UsageCounter.objects.get().reserved, UsageCounter.objects.get().used) == (0, 0)
    assert fair_queue.waiting(redis_client, "scripted") == []
    broker.start_worker()
    assert change(cast, answer, "post")["status"] == "waiting"  # asked for again
    async_to_sync(eventually)(lambda: Summary.objects.filter(status="ready", version=2).exists())


def test_a_summary_fails_with_its_worker_and_is_submitted_again_after_a_loss(
    cast: Any, broker: Any, redis_client: redis.Redis
) -> None:
    answer, below, summary = written(cast, broker, start=False)
    found = async_to_sync(eventually)
    redis_client.flushdb()

    def submitted_again() -> bool:
        reconcile.reconcile()
        return summary.pk.hex in "".join(fair_queue.waiting(redis_client, "scripted")).replace("-", "")

    found(submitted_again)
    summary.refresh_from_db()
    assert summary.attempt == 2
    beat(redis_client)
    assert fair_queue.claim(redis_client, "scripted", "w1", suspects=False) is not None
    redis_client.delete(scripts.key("lease", str(summary.pk)))  # its worker has died
    reconcile.reconcile()
    summary.refresh_from_db()
    assert (summary.status, summary.text) == ("failed", "")
    assert UsageCounter.objects.get().reserved == 0
    assert len(texts(below)) == 3
    assert submission.stop(summary.pk, 2) == "already"


def test_a_summary_that_a_rule_forbids_is_not_stored(cast: Any, broker: Any) -> None:
    Rule.objects.create(kind="pattern", name="r", options={"pattern": "spoke"}, applies="reply", words="No.")
    conversation = talk(cast.alice, f"one\n{SAYS}", "two", "three", "four")
    broker.start_worker()
    answer = Message.objects.get(text="two")
    change(cast, answer, "post")
    async_to_sync(eventually)(lambda: Summary.objects.filter(status="failed").exists())
    assert not Summary.objects.exclude(text="").exists()
    assert conversation.messages.count() == 4


def test_a_summary_of_turns_that_its_worker_left_out_is_not_stored(
    cast: Any, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedEngine, "context", 400)  # its memory became less
    talk(cast.alice, f"{SAYS}\n{LONG}", "two", "three", "four")
    broker.start_worker()
    assert change(cast, Message.objects.get(text="four"), "post")["status"] == "waiting"
    async_to_sync(eventually)(lambda: Summary.objects.filter(status="failed", text="").exists())


def test_more_than_a_model_reads_at_once_is_not_summarised(cast: Any, broker: Any) -> None:
    talk(cast.alice, *([LONG] * 10), "nine", "ten")
    ten = Message.objects.get(text="ten")
    answer = cast.client("alice").post(f"/api/messages/{ten.pk}/summary/", "{}", "application/json")
    assert answer.status_code == 400
    assert answer.json()["error"]["words"] == (
        "This is too long to be summarised at once. Summarise up to an earlier answer."
    )
    assert not Summary.objects.exists()
    assert not UsageEntry.objects.exists()


@pytest.mark.parametrize(("is_alive", "status"), [(True, "waiting"), (False, "failed")])
def test_a_long_wait_ends_only_without_a_worker(
    cast: Any, broker: Any, redis_client: redis.Redis, is_alive: bool, status: str
) -> None:
    summary = written(cast, broker, start=False)[2]
    Summary.objects.update(created_at=timezone.now() - timedelta(days=1))
    if is_alive:
        beat(redis_client)
    reconcile.reconcile()
    summary.refresh_from_db()
    assert summary.status == status


def test_a_summary_above_a_quarter_of_the_context_is_not_used(
    cast: Any, broker: Any, model_card: Any
) -> None:
    answer, below, summary = written(cast, broker)
    Summary.objects.filter(pk=summary.pk).update(is_edited=True, text="x" * 4000)  # about 1,337 tokens
    assert texts(below) == [f"one\n{SAYS}", "two", "three"]
    assert change(cast, answer, "patch", text="x" * 4000) == 400
    assert change(cast, answer, "delete")["status"] == "undone"
    client = cast.client("alice")
    refused = client.post(f"/api/messages/{answer.pk}/summary/", "{}", "application/json")
    assert refused.status_code == 400
    assert refused.json()["error"]["words"] == (
        "This summary has about 1,337 tokens; for this model it may have 1,024."
    )
    type(model_card).objects.update(context_tokens=8192)
    assert change(cast, answer, "post")["status"] == "ready"
    assert "xxx" in texts(Message.objects.get(pk=below.pk))[0]


def test_a_summary_that_is_stopped_while_it_is_written_is_charged(cast: Any, broker: Any) -> None:
    talk(cast.alice, "one\nsummary:slow:400:20", "two", "three", "four")
    broker.start_worker()
    answer = Message.objects.get(text="two")
    summary = Summary.objects.get(pk=change(cast, answer, "post")["id"])
    async_to_sync(eventually)(lambda: reply_state.read_log(summary.pk).pieces)
    assert change(cast, answer, "delete")["status"] == "stopped"
    async_to_sync(eventually)(lambda: UsageEntry.objects.exclude(settled_at=None).exists())
    entry, counter = UsageEntry.objects.get(), UsageCounter.objects.get()
    assert entry.prompt_tokens > 0
    assert entry.completion_tokens > 0
    assert (counter.reserved, counter.used) == (0, entry.prompt_tokens + entry.completion_tokens)
    summary.refresh_from_db()
    assert (summary.status, summary.text, summary.is_settled) == ("stopped", "", True)


def test_a_stop_that_redis_missed_is_settled_by_reconcile(
    cast: Any, broker: Any, redis_client: redis.Redis
) -> None:
    answer, _below, summary = written(cast, broker, start=False)
    Summary.objects.update(status="stopped")  # and Redis was not there
    reconcile.sweep()
    reconcile.reconcile()
    assert fair_queue.waiting(redis_client, "scripted") == []
    assert UsageCounter.objects.get().reserved == 0
    assert change(cast, answer, "post")["status"] == "waiting"
    Summary.objects.filter(version=2).update(status="stopped")
    redis_client.flushdb()

    def is_settled() -> bool:
        reconcile.reconcile()
        return UsageCounter.objects.filter(reserved=0).exists()

    async_to_sync(eventually)(is_settled)
    assert set(Summary.objects.values_list("status", flat=True)) == {"stopped"}
    summary.refresh_from_db()
    assert summary.is_settled


def test_a_lost_ticket_of_a_summary_is_sent_again(cast: Any, broker: Any) -> None:
    summary = written(cast, broker, start=False)[2]
    broker.start_worker()

    def is_ready() -> bool:
        reconcile.reconcile()
        return Summary.objects.filter(pk=summary.pk, status="ready").exists()

    async_to_sync(eventually)(is_ready)


def test_a_summary_that_cannot_be_submitted_does_not_keep_replies_from_it(
    cast: Any, broker: Any, redis_client: redis.Redis
) -> None:
    below = written(cast, broker, start=False)[1]
    row = send_question(
        user=cast.alice,
        conversation_id=below.conversation_id,
        parent_id=below.children.get().pk,
        question=Question("five"),
        client_id="c",
    ).generation
    Summary.objects.update(max_tokens=0)  # which no request may have
    redis_client.flushdb()

    def submitted_again() -> Any:
        reconcile.reconcile()
        return redis_client.exists(scripts.key("gen", str(row.pk)))

    async_to_sync(eventually)(submitted_again)
