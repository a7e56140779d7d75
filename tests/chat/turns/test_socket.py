"""The websocket as a person uses it: asking, watching, stopping, asking again."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from chat.conversations.models import Message
from chat.quotas.models import UsageCounter, UsageEntry
from chat.turns.models import Generation
from tests.chat.turns.exchange import eventually, send

pytestmark = [pytest.mark.django_db(transaction=True)]


async def test_tokens_arrive_in_order_and_the_text_is_saved_with_no_browser_open(
    tabs: Any, broker: Any
) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("slow:12:5", ref="r1"))
    ack = await tab.next()
    assert ack["type"] == "ack"
    assert ack["ref"] == "r1"
    assert [m["role"] for m in ack["messages"]] == ["user", "assistant"]
    text, done = await tab.reply()
    assert text == " ".join(f"w{n}" for n in range(1, 13))
    assert (done["status"], done["seq"], done["length"]) == ("complete", 12, len(text))
    assert done["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    saved = await eventually(lambda: Message.objects.filter(pk=ack["message_id"], status="complete").first())
    assert saved.text == text
    entry = await eventually(lambda: UsageEntry.objects.exclude(settled_at=None).first())
    assert entry.completion_tokens == 12
    assert (await UsageCounter.objects.aget()).reserved == 0


async def test_a_second_tab_sees_the_same_stream_and_a_reload_goes_on(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    first, second = await tabs("alice"), await tabs("alice")
    await first.say(**send("slow:40:10"))
    ack = await first.next()
    told = await second.until("message")
    assert told["message"]["role"] == "user"
    await second.say(type="resume", message_id=ack["message_id"], after=0)
    part = await first.until("token")
    reloaded = await tabs("alice")
    await reloaded.say(type="resume", message_id=ack["message_id"], after=part["seq"])
    whole, _ = await second.reply()
    assert whole == " ".join(f"w{n}" for n in range(1, 41))
    rest = await reloaded.until("token")
    assert rest["after"] == part["seq"]


async def test_a_settled_reply_is_resumed_from_its_row(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("one two"))
    ack = await tab.next()
    await tab.reply()
    await eventually(lambda: Message.objects.filter(pk=ack["message_id"], status="complete").exists())
    await tab.say(type="resume", message_id=ack["message_id"], after=1)
    frame = await tab.until("message")
    assert frame["message"]["text"] == "one two"
    assert (await tab.next())["status"] == "complete"


async def test_stop_while_running_keeps_what_was_written(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("slow:500:20"))
    ack = await tab.next()
    seen = (await tab.until("token"))["text"]
    await tab.say(type="stop", message_id=ack["message_id"])
    while True:
        frame = await tab.next()
        if frame["type"] == "done":
            break
        seen += frame["text"]
    assert frame["status"] == "stopped"
    assert 0 < frame["seq"] < 100
    saved = await eventually(lambda: Message.objects.filter(pk=ack["message_id"], status="stopped").first())
    assert saved.text == seen


async def test_a_waiting_reply_gets_its_position_and_can_be_stopped(tabs: Any, broker: Any) -> None:
    tab = await tabs("alice")  # nobody runs the model
    await tab.say(**send("hello"))
    ack = await tab.next()
    place = await tab.until("queued")
    assert place["position"] == 0
    await tab.say(type="stop", message_id=ack["message_id"])
    done = await tab.until("done")
    assert (done["status"], done["seq"]) == ("stopped", 0)
    await eventually(lambda: Generation.objects.filter(status="stopped").exists())


async def test_a_person_who_waits_gets_the_position_in_the_queue(tabs: Any, broker: Any) -> None:
    broker.start_worker(slots=1)
    alice, bob = await tabs("alice"), await tabs("bob")
    await alice.say(**send("slow:400:10"))
    await alice.until("token")
    await bob.say(**send("hello"))
    await bob.next()
    assert (await bob.until("queued"))["position"] == 1


async def test_a_second_answer_beside_the_first(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("hello again"))
    ack = await tab.next()
    await tab.reply()
    await eventually(lambda: Message.objects.filter(pk=ack["message_id"], status="complete").exists())
    await tab.say(type="regenerate", message_id=ack["message_id"], client_id="again")
    second = await tab.until("ack")
    assert second["message_id"] != ack["message_id"]
    assert second["messages"][0]["parent"] == ack["messages"][0]["id"]
    text, _ = await tab.reply()
    assert text == "hello again"


async def test_a_following_question_has_its_history_in_the_prompt(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("first"))
    ack = await tab.next()
    await tab.reply()
    await eventually(lambda: Message.objects.filter(pk=ack["message_id"], status="complete").exists())
    await tab.say(**send("second", ack["conversation"]["id"], ack["message_id"]))
    await tab.until("ack")
    text, done = await tab.reply()
    assert text == "second"
    assert done["usage"]["prompt_tokens"] == 3  # first, first, second
