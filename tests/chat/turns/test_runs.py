"""A reply whose worker left, where the next one continues it, and where it must start again."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.model_cards.capabilities import capabilities_of
from chat.model_cards.models import ModelCard
from chat.turns import reconcile, redis_client, reply_state, served_models
from chat.turns.models import Generation
from inference.contract import MOST_RESTARTS, ErrorCode, Resume
from inference.wire import queue as fair_queue
from tests.chat.turns.exchange import saved, send
from tests.faults.client import Reply, words
from tests.grokweb.service import eventually

pytestmark = pytest.mark.django_db(transaction=True)
SCRIPT = "slow:40:25"
PLAIN = words(40)
LONG = "slow:400:25"  # for a reply that is stopped, as it would not end within a test


@pytest.fixture(autouse=True)
def _reconcile_at_once(settings: Any) -> None:
    settings.RECONCILE_AGE_SECONDS = -60
    settings.REDIS_REST_SECONDS = 0.001


@sync_to_async
def pass_of_reconcile() -> None:
    reconcile.sync_models()
    reconcile.reconcile()


async def begin(tab: Any, broker: Any, resume: Resume, script: str = SCRIPT) -> tuple[Any, Reply]:
    """Asks, and stops the worker after the first tokens, of which it writes no others; another one starts."""
    hold_after(broker.start_worker(resume=resume).engine, 5)
    await pass_of_reconcile()  # the card knows what the worker can do
    await tab.say(**send(script))
    ack = await tab.until("ack")
    reply = Reply(script)
    reply.acknowledged(ack["message_id"], ack["generation_id"])
    while reply.seq < 3:
        await take(tab, reply)
    await sync_to_async(broker.stop_worker)()
    broker.start_worker(resume=resume)
    await pass_of_reconcile()
    broker.ticket("scripted")
    return ack, reply


def hold_after(engine: Any, words: int) -> None:
    """The engine writes about so many words of each answer, and does not end it."""
    schedule = engine._schedule
    engine._schedule = lambda answer: schedule(answer) if answer.made < words else None


async def take(tab: Any, reply: Reply) -> None:
    frame = await tab.next()
    assert frame["type"] not in {"error", "close"}, frame
    if reply.apply(frame):
        resume = {"type": "resume", "message_id": reply.message_id, "after": reply.resume_after}
        await tab.say(**resume, run=reply.state.run)


async def end_of(tab: Any, reply: Reply) -> Reply:
    while reply.done is None:
        await take(tab, reply)
    assert reply.is_whole()
    return reply


@pytest.mark.parametrize("resume", [Resume.EXACT, Resume.PREFIX])
async def test_text_is_continued_in_the_same_run(tabs: Any, broker: Any, resume: Resume) -> None:
    tab = await tabs("alice")
    ack, reply = await begin(tab, broker, resume)
    await end_of(tab, reply)
    assert (reply.text, reply.state.run) == (PLAIN, 0)
    row = await Generation.objects.aget(pk=ack["generation_id"])
    assert (row.attempt, row.run) == (1, 0)


@pytest.mark.parametrize(
    ("resume", "script"),
    [(Resume.RESTART, SCRIPT), (Resume.PREFIX, "think:40:" + SCRIPT)],
    ids=["no way to resume", "a thought that broke off"],
)
async def test_a_log_that_cannot_be_continued_starts_again_in_a_new_run(
    tabs: Any, broker: Any, resume: Resume, script: str
) -> None:
    tab, other = await tabs("alice"), await tabs("alice")
    ack, reply = await begin(tab, broker, resume, script)
    await end_of(tab, reply)
    assert reply.state.everything == PLAIN.upper()
    assert reply.state.run == 1
    message = await saved(ack)
    row = await Generation.objects.aget(pk=ack["generation_id"])
    assert (row.attempt, row.run, row.strikes) == (2, 1, 0)
    assert message.text == reply.text
    late = Reply(script)
    late.acknowledged(ack["message_id"], ack["generation_id"])
    await other.say(type="resume", message_id=ack["message_id"], after=0)
    frames = [await other.until("message"), await other.until("done")]
    assert frames[1]["run"] == 1
    assert frames[1] == reply.done


async def ask_to_be_cut(tab: Any, broker: Any, runs: int) -> tuple[Any, Reply]:
    """Asks a model whose server breaks off after five words, in each run below `runs`."""
    broker.start_worker(resume=Resume.RESTART)
    await pass_of_reconcile()
    script = f"cut:5:{runs}:{SCRIPT}"
    await tab.say(**send(script))
    ack = await tab.until("ack")
    reply = Reply(script)
    reply.acknowledged(ack["message_id"], ack["generation_id"])
    for run in range(1, runs + 1):
        if run > MOST_RESTARTS:
            break
        while reply.seq < 5 or reply.state.run < run - 1:
            await take(tab, reply)
        await given_back(broker)
        await pass_of_reconcile()
        broker.ticket("scripted")
        while reply.state.run < run:
            await take(tab, reply)
    return ack, reply


@sync_to_async
def given_back(broker: Any) -> None:
    eventually(lambda: broker.runtime.writer.idle, "the worker holds no reply")


async def test_a_reply_whose_server_broke_off_starts_again_without_a_strike(tabs: Any, broker: Any) -> None:
    tab, other = await tabs("alice"), await tabs("alice")
    ack, reply = await ask_to_be_cut(tab, broker, 1)
    await end_of(tab, reply)
    assert (reply.text, reply.state.run) == (PLAIN.upper(), 1)
    await saved(ack)
    row = await Generation.objects.aget(pk=ack["generation_id"])
    assert (row.attempt, row.run, row.strikes, row.status) == (2, 1, 0, "complete")
    await other.say(type="resume", message_id=ack["message_id"], after=0)
    shown: dict[str, Any] = {}
    while (shown.get("id"), shown.get("status")) != (ack["message_id"], "complete"):
        shown = (await other.until("message"))["message"]
    assert shown["restarted"] is True


async def test_a_reply_whose_server_breaks_off_each_time_ends_with_its_text(tabs: Any, broker: Any) -> None:
    tab = await tabs("alice")
    ack, reply = await ask_to_be_cut(tab, broker, 9)
    await end_of(tab, reply)
    assert (reply.text, reply.state.run) == ("W1 W2 W3 W4 W5 ", MOST_RESTARTS)
    await saved(ack, "failed")
    row = await Generation.objects.aget(pk=ack["generation_id"])
    assert (row.error, row.strikes) == (ErrorCode.SERVER_CUT, 0)


async def test_the_text_stays_while_no_worker_can_start_it_again(tabs: Any, broker: Any) -> None:
    tab = await tabs("alice")
    broker.start_worker(resume=Resume.RESTART)
    await pass_of_reconcile()
    await tab.say(**send(f"cut:5:1:{SCRIPT}"))
    ack = await tab.until("ack")
    while (await tab.until("token"))["seq"] < 5:
        pass
    await given_back(broker)
    await sync_to_async(broker.stop_worker)()
    await sync_to_async(forget_workers)()
    await pass_of_reconcile()
    row = await Generation.objects.aget(pk=ack["generation_id"])
    log = await sync_to_async(reply_state.read_log)(row.pk)
    assert (row.run, log.text) == (0, "w1 w2 w3 w4 w5 ")


def forget_workers() -> None:
    for worker in served_models.workers("scripted"):
        fair_queue.leave(redis_client.client(), "scripted", worker.name)


async def test_a_page_of_the_older_run_resumes_from_the_beginning(tabs: Any, broker: Any) -> None:
    tab, other = await tabs("alice"), await tabs("alice")
    ack, reply = await begin(tab, broker, Resume.RESTART, LONG)
    while reply.state.run == 0 or reply.seq < 5:
        await take(tab, reply)
    held = Reply(LONG)
    held.acknowledged(ack["message_id"], ack["generation_id"])
    token = {"type": "token", "message_id": ack["message_id"], "generation_id": ack["generation_id"]}
    held.apply({**token, "after": 0, "seq": 3, "text": "w1 w2 w3 "})
    await other.say(type="resume", message_id=ack["message_id"], after=3, run=0)
    first = await other.until("token")
    assert (first["after"], first["run"]) == (0, 1)
    held.apply(first)
    await tab.say(type="stop", message_id=ack["message_id"])
    text = (await end_of(other, held)).text
    assert text.startswith("W1 W2 W3 W4 W5 ")
    assert words(400).upper().startswith(text)


async def test_a_stop_after_the_restart_ends_the_new_run(tabs: Any, broker: Any) -> None:
    tab = await tabs("alice")
    ack, reply = await begin(tab, broker, Resume.RESTART, LONG)
    while reply.state.run == 0:
        await take(tab, reply)
    await tab.say(type="stop", message_id=ack["message_id"])
    await end_of(tab, reply)
    assert reply.done is not None
    assert reply.done["status"] == "stopped"
    assert words(400).upper().startswith((await saved(ack, "stopped")).text)


async def test_the_card_holds_what_workers_announce(cast: Any, broker: Any) -> None:
    broker.start_worker(resume=Resume.PREFIX)
    await pass_of_reconcile()
    found = await sync_to_async(capabilities_of)("scripted")
    assert (found.resume, found.reasoning, found.images) == (Resume.PREFIX, True, False)

    @sync_to_async
    def shown() -> str:
        page = cast.client("staff").get("/admin/model_cards/modelcard/scripted/change/")
        return str(page.content.decode())

    assert "prefix" in await shown()


async def test_a_card_without_capabilities_has_the_defaults(model_card: ModelCard) -> None:
    assert (await sync_to_async(capabilities_of)(model_card.slug)).resume is Resume.EXACT
    await ModelCard.objects.filter(pk=model_card.pk).aupdate(capabilities={"resume": "perhaps"})
    assert (await sync_to_async(capabilities_of)(model_card.slug)).resume is Resume.EXACT
