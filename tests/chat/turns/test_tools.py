"""Replies that call tools: what their websocket, their rows and the next step see."""

from __future__ import annotations

import hashlib
import json
import threading
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.db.models.functions import Now

from chat.conversations.models import Message
from chat.conversations.serializers import message_json
from chat.core.storage import write_if_room
from chat.model_cards.models import ModelCard
from chat.moderation.models import Rule
from chat.quotas.models import QuotaPolicy, UsageCounter, UsageEntry
from chat.tools.registry import TOOLS
from chat.turns import (
    call_frames,
    call_reconcile,
    endings,
    reply_state,
    settlement,
    submission,
)
from chat.turns.called_tools import calls_of
from chat.turns.event_positions import STEP
from chat.turns.followed import Followed
from chat.turns.models import Generation, ToolCall
from chat.turns.parameters import Parameters
from chat.turns.requests import request_for
from chat.turns.sent_prompt import sent_prompt
from inference.contract import Kind, Piece, Reason
from inference.wire.log import End
from tests import tools
from tests.chat.turns.calling import Page, call, ended, rows
from tests.chat.turns.exchange import asked, eventually, send
from tests.protocol.reducer import is_whole

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("called_tools")]


async def test_a_reply_goes_on_with_the_result_of_a_call(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    page = Page(await tabs("alice"), f"think:1:echo:hm look {call()}")
    ack = await page.ask()
    message, (made,) = await ended(page, ack)
    assert message.text == "lookhi there"
    assert page.states[-1] == "done"
    assert (made.status, made.result, made.error) == ("done", "hi there", "")
    kinds = [(part.kind, part.text) for part in page.reply.state.parts]
    line = kinds[2][1]
    assert kinds == [
        ("thought", "hm "),
        ("text", "look"),
        ("call", line),
        ("step", ""),
        ("text", "hi there"),
    ]
    assert json.loads(line)["arguments"] == {"text": "hi there"}
    steps, _ = await rows(ack)
    assert [(step.step, step.status, step.reason) for step in steps] == [
        (0, "complete", "calls"),
        (1, "complete", "stop"),
    ]
    everything = f"hm look{line}hi there"
    assert page.reply.done is not None
    assert page.reply.done["seq"] == STEP + 2
    assert page.reply.done["sha256"] == hashlib.sha256(everything.encode()).hexdigest()
    assert await UsageEntry.objects.acount() == 2
    assert not await UsageEntry.objects.filter(settled_at=None).aexists()


async def test_the_next_step_reads_what_a_step_thought_and_the_next_turn_does_not(
    tabs: Any, broker: Any
) -> None:
    broker.start_worker()
    page = Page(await tabs("alice"), f"think:1:echo:hm look {call()}")
    ack = await page.ask()
    message, _ = await ended(page, ack)
    steps, _ = await rows(ack)
    read = (await sync_to_async(request_for)(steps[1])).messages
    assert [each.get("thought") for each in read] == [None, "hm ", None]
    assert (await sync_to_async(sent_prompt)(message) or {})["exact"] is True
    later = await asked(page.tab, "more", conversation=str(message.conversation_id), parent=str(message.pk))
    [following], _ = await rows(later)
    read = (await sync_to_async(request_for)(following)).messages
    assert [each["content"] for each in read[:3]] == [page.reply.content, "lookhi there", "more"]
    assert not any("thought" in each for each in read)


async def test_a_saved_message_has_its_calls(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    page = Page(await tabs("alice"), f"echo:look {call()} && {call(text='again')}\n{call(text='third')}")
    ack = await page.ask()
    message, _ = await ended(page, ack)
    assert message.text == "lookhi there again third"
    shown = await sync_to_async(message_json)(message)
    assert [(part["kind"], part["offset"]) for part in shown["parts"]] == [("call", 4), ("call", 4)]
    told = [(each["step"], each["position"], each["result"]) for each in shown["calls"]]
    assert told == [(0, 0, "hi there"), (0, 1, "again"), (1, 0, "third")]
    await Message.objects.filter(pk=message.pk).aupdate(hidden_at=Now())
    hidden = await Message.objects.aget(pk=message.pk)
    assert not {"parts", "calls"} & set(await sync_to_async(message_json)(hidden))


async def test_a_page_reads_the_beginning_of_a_long_result(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    page = Page(await tabs("alice"), f"{call(text='x' * 2000)} && {call(text='y' * 2001)}\necho:ok")
    ack = await page.ask()
    message, _ = await ended(page, ack)
    shown = await sync_to_async(message_json)(message)
    told = [(each["result"], each["cut"]) for each in shown["calls"]]
    assert told == [("x" * 2000, False), ("y" * 2000, True)]


async def test_a_second_tab_gets_steps_and_calls_while_a_tool_runs(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab, other = await tabs("alice"), await tabs("alice")
    page = Page(tab, f"echo:look {call('note')}")
    ack = await page.ask()
    waiting = await page.until_state("waiting")
    live = await Message.objects.aget(pk=ack["message_id"])
    assert (live.status, live.text) == ("live", "look")
    shown = await sync_to_async(message_json)(live)
    assert (shown["text"], shown["calls"]) == ("", [waiting])
    late = Page(other, page.reply.content)
    late.reply.acknowledged(ack["message_id"], ack["generation_id"])
    await other.say(type="resume", message_id=ack["message_id"], after=0)
    assert await late.until_state("waiting") == waiting
    await other.say(type="decide", call=waiting["id"], allow=True)
    await ended(page, ack)
    assert await late.end() == page.reply.done
    assert late.reply.state.parts == page.reply.state.parts
    assert tools.notes().read_text() == "hi there\n"


@pytest.mark.parametrize(
    ("script", "error", "told"),
    [
        (call(fault="fail"), "tool", "the echo is gone"),
        (call(fault="raise"), "broken", "The tool failed."),
        (call("absent"), "no_tool", "There is no such tool."),
        (call(text=5), "arguments", "arguments.text must be of type string"),
        ("call:echo:{}", "arguments", "arguments must have 'text'"),
        ("call:echo:nonsense", "not_a_call", "This is not a call"),
        ("call:echo:[1]", "arguments", "arguments must be of type object"),
        ('call:echo:{"text": "a", "more": NaN}', "not_a_call", "This is not a call"),
        ('call:echo:{"text": "a", "more": 1e999}', "not_a_call", "This is not a call"),
    ],
)
async def test_the_model_reads_why_a_call_has_no_result(
    tabs: Any, broker: Any, script: str, error: str, told: str
) -> None:
    broker.start_worker()
    page = Page(await tabs("alice"), script)
    ack = await page.ask()
    message, (made,) = await ended(page, ack)
    assert made.error == error
    assert told in message.text


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (call(text="\ud800 a"), "\ufffd a"),
        (call(text="\ud83d\ude00"), "\U0001f600"),
        ('call:echo:{"text": "a\u2028b\u2029c\u0085d"}', "a\u2028b\u2029c\u0085d"),
        (call(more=[[1], {"a": None}]), "hi there"),
    ],
    ids=["half a character", "both halves of one", "other ends of lines", "anything"],
)
async def test_whatever_json_can_say_is_an_argument(tabs: Any, broker: Any, script: str, text: str) -> None:
    broker.start_worker()
    page = Page(await tabs("alice"), script)
    ack = await page.ask()
    message, (made,) = await ended(page, ack)
    assert (made.status, made.error, made.result) == ("done", "", text)
    assert message.text == text


async def test_a_tool_that_cannot_be_made_is_not_offered(
    tabs: Any, broker: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TOOLS.table, "unmade", "tests.tools.Unmade")
    settings.TOOLS = ["unmade", "echo"]
    broker.start_worker()
    page = Page(await tabs("alice"), f"{call('unmade')} && {call()}")
    ack = await page.ask()
    _, made = await ended(page, ack)
    assert [(each.status, each.error) for each in made] == [("refused", "no_tool"), ("done", "")]


def test_a_line_that_cannot_be_read_at_all_is_a_call_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools.Echo, "schema", "no schema")  # whoever reads it raises
    step = Generation(step=0)
    step.parameters = Parameters(tools=("echo", "note"))
    line = json.dumps({"id": "call_0_1", "name": "absent", "arguments": {}})
    broken = json.dumps({"id": "x", "name": "echo", "arguments": {"text": "a"}})
    piece = Piece(0, 3, f"{line}\n{broken}\n{line}\n", (), kind=Kind.CALL)
    made = calls_of(step, [piece])
    assert [(each.status, each.error) for each in made] == [
        ("refused", "no_tool"),
        ("failed", "broken"),
        ("refused", "no_tool"),
    ]
    assert [each.call_id for each in made] == ["call_0_1", "call_0_1_1", "call_0_2"]


async def test_the_next_step_gets_arguments_that_servers_can_read(
    tabs: Any, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    submit = submission.submit

    def note(request: Any) -> Any:
        asked.append(request)
        return submit(request)

    monkeypatch.setattr(submission, "submit", note)
    broker.start_worker()
    page = Page(await tabs("alice"), 'call:absent:"{half"')
    ack = await page.ask()
    _, (made,) = await ended(page, ack)
    assert (made.error, made.arguments) == ("no_tool", "{half")
    [called] = [message["calls"] for message in asked[-1].messages if message.get("calls")]
    assert called[0]["arguments"] == "{}"


async def test_a_call_that_is_refused_is_not_made(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    page = Page(await tabs("alice"), call("note"))
    ack = await page.ask()
    waiting = await page.until_state("waiting")
    await page.tab.say(type="decide", call=waiting["id"], allow=False)
    message, (made,) = await ended(page, ack)
    assert message.text == "The person did not allow this call."
    assert (made.status, made.error, made.decided_by_id) == ("refused", "denied", made.decided_by_id)
    assert made.decided_by_id is not None
    assert not tools.notes().exists()


async def test_the_first_of_two_tabs_decides(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab, other = await tabs("alice"), await tabs("alice")
    page = Page(tab, call("note"))
    ack = await page.ask()
    waiting = await page.until_state("waiting")
    await tab.say(type="decide", call=waiting["id"], allow=False)
    await page.until_state("refused")
    await other.say(type="decide", call=waiting["id"], allow=True)
    while (state := (await other.until("call"))["call"])["status"] == "waiting":
        pass
    assert (state["status"], state["error"]) == ("refused", "denied")
    await ended(page, ack)
    assert not tools.notes().exists()


async def test_nobody_else_decides(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    page, bob = Page(await tabs("alice"), call("note")), await tabs("bob")
    await page.ask()
    waiting = await page.until_state("waiting")
    await bob.say(type="decide", call=waiting["id"], allow=True)
    refusal = await bob.until_error()
    await bob.say(type="decide", call="00000000-0000-4000-8000-000000000000", allow=True)
    assert (await bob.until_error()) == refusal
    assert refusal["code"] == "not_found"
    assert (await ToolCall.objects.aget(pk=waiting["id"])).status == "waiting"


async def test_a_decision_that_never_comes_is_a_no(tabs: Any, broker: Any, settings: Any) -> None:
    broker.start_worker()
    page = Page(await tabs("alice"), call("note"))
    ack = await page.ask()
    await page.until_state("waiting")
    settings.APPROVAL_SECONDS = -60
    await sync_to_async(call_reconcile.reconcile_calls)()
    message, (made,) = await ended(page, ack)
    assert (made.status, made.error) == ("refused", "not_decided")
    assert "did not answer" in message.text


async def test_a_stop_ends_a_reply_that_waits_for_a_tool(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    page = Page(await tabs("alice"), f"echo:look {call('note')}")
    ack = await page.ask()
    await page.until_state("waiting")
    await page.tab.say(type="stop", message_id=ack["message_id"])
    message, _ = await ended(page, ack, "stopped")
    assert message.text == "look"
    made = await eventually(lambda: ToolCall.objects.filter(status="refused").first())
    assert made.error == "ended"


async def test_a_stop_while_a_tool_runs_drops_its_result(
    tabs: Any, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_return = threading.Event()
    monkeypatch.setattr(tools, "wait_and_fail", lambda call: may_return.wait(call.seconds_left))
    broker.start_worker()
    page = Page(await tabs("alice"), call("jot"))
    ack = await page.ask()
    await page.until_state("running")
    await page.tab.say(type="stop", message_id=ack["message_id"])
    await ended(page, ack, "stopped")
    may_return.set()
    made = await eventually(lambda: ToolCall.objects.filter(status="done").first())
    assert made.result == ""
    steps, _ = await rows(ack)
    assert [step.status for step in steps] == ["complete", "stopped"]


async def test_a_stop_that_waits_for_a_settlement_stops_the_step_after_it(
    tabs: Any, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step that called is settled after the stop has found it live, and before its request is stored."""
    broker.may_finish.clear()
    broker.start_worker()
    page = Page(await tabs("alice"), f"echo:look {call('note')}")
    ack = await page.ask()
    step = await Generation.objects.aget(message=ack["message_id"])
    await eventually(lambda: reply_state.read_log(step.pk).end)

    def settle_first(write: Any) -> None:
        settlement.finish(step.pk, step.attempt)
        write_if_room(write)

    monkeypatch.setattr("chat.turns.stopping.write_if_room", settle_first)
    await page.tab.say(type="stop", message_id=ack["message_id"])
    await eventually(lambda: Generation.objects.filter(step=1).exclude(stop_requested_at=None).exists())
    broker.may_finish.set()
    await ended(page, ack, "stopped")


async def test_a_call_is_made_though_its_pages_cannot_be_told(
    tabs: Any, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = call_frames.publish

    def publish_others(calls: Any) -> None:
        if ToolCall.objects.filter(pk__in=calls, status="running").exists():
            raise RuntimeError("lost")
        publish(calls)

    monkeypatch.setattr(call_frames, "publish", publish_others)
    broker.start_worker()
    page = Page(await tabs("alice"), call("jot"))
    ack = await page.ask()
    _, (made,) = await ended(page, ack)
    assert (made.status, made.result) == ("done", "written down")


@pytest.mark.usefixtures("broker")
def test_the_end_of_a_reply_that_was_deleted_meanwhile_is_told() -> None:
    followed = Followed(str(uuid4()), str(uuid4()), 1, "scripted")
    done = endings.done_from_log(followed, str(uuid4()), End(3, Reason.STOP))
    assert (done.status, done.length) == ("complete", 0)


async def test_later_steps_of_a_reply_cost_what_its_first_one_did(tabs: Any, broker: Any) -> None:
    await ModelCard.objects.aupdate(price=Decimal("2.5"))
    broker.start_worker()
    page = Page(await tabs("alice"), f"think:1:echo:hm look {call()}")
    ack = await page.ask()
    await ModelCard.objects.aupdate(price=Decimal(7))
    await ended(page, ack)
    prices = [price async for price in UsageEntry.objects.values_list("price", flat=True)]
    assert prices == [Decimal("2.50"), Decimal("2.50")]


async def test_a_quota_that_is_used_up_between_steps_ends_the_reply(
    tabs: Any, broker: Any, cast: Any
) -> None:
    broker.start_worker()
    page = Page(await tabs("alice"), f"echo:look {call('note')}")
    ack = await page.ask()
    waiting = await page.until_state("waiting")
    await QuotaPolicy.objects.acreate(user=cast.alice, tokens_per_day=1)
    await page.tab.say(type="decide", call=waiting["id"], allow=True)
    message, (made,) = await ended(page, ack, "failed")
    assert page.reply.done is not None
    assert "used up" in page.reply.done["words"]
    assert message.text == "look"
    assert (made.status, made.error) == ("refused", "quota")
    assert not tools.notes().exists()
    assert (await UsageCounter.objects.aget(user=cast.alice)).reserved == 0


async def test_a_result_that_a_rule_forbids_is_withheld(tabs: Any, broker: Any) -> None:
    await Rule.objects.acreate(name="a rule", options={"pattern": "written down"})
    broker.start_worker()
    page = Page(await tabs("alice"), call("jot"))
    ack = await page.ask()
    message, (made,) = await ended(page, ack)
    assert (made.status, made.error, made.result) == ("done", "withheld", "")
    assert "forbids its result" in message.text
    assert tools.notes().read_text() == "hi there\n"


async def test_a_reply_has_at_most_eight_steps(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    page = Page(await tabs("alice"), "\n".join([call(text="x")] * 9))
    ack = await page.ask()
    message, calls = await ended(page, ack)
    steps, _ = await rows(ack)
    assert [step.step for step in steps] == list(range(8))
    assert len(calls) == 7
    assert message.text == call(text="x")  # it may not call any more, so it says so


async def test_tools_are_offered_only_where_the_model_knows_them(
    tabs: Any, broker: Any, model_card: Any
) -> None:
    broker.start_worker()
    model_card.capabilities = {}
    await model_card.asave()
    page = Page(await tabs("alice"), call())
    ack = await page.ask()
    message, calls = await ended(page, ack)
    assert (message.text, calls) == (call(), [])


async def test_a_page_that_missed_everything_gets_the_whole_reply(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab, other = await tabs("alice"), await tabs("alice")
    page = Page(tab, f"slow:3:1 {call('jot')}\nslow:3:1")
    ack = await page.ask()
    await ended(page, ack)
    late = Page(other, page.reply.content)
    late.reply.acknowledged(ack["message_id"], ack["generation_id"])
    await other.say(type="resume", message_id=ack["message_id"], after=0)
    while late.reply.state.status == "live":
        await late.take()
    done = await other.until("done")
    assert late.reply.state.everything == page.reply.state.everything
    assert is_whole(late.reply.state, done)
    assert done["seq"] == late.reply.seq


async def test_a_question_that_is_sent_again_gets_all_steps(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab, other = await tabs("alice"), await tabs("alice")
    page = Page(tab, f"slow:3:1 {call('note')}\nslow:3:1")
    frame = send(page.reply.content)
    await tab.say(**frame)
    ack = await tab.until("ack")
    page.reply.acknowledged(ack["message_id"], ack["generation_id"])
    waiting = await page.until_state("waiting")
    again = Page(other, page.reply.content)
    await other.say(**frame)
    repeated = await other.until("ack")
    again.reply.acknowledged(repeated["message_id"], repeated["generation_id"])
    assert await again.until_state("waiting") == waiting
    await tab.say(type="decide", call=waiting["id"], allow=True)
    await ended(page, ack)
    assert await again.end() == page.reply.done
    assert again.reply.state.parts == page.reply.state.parts
