"""Frames that are refused: malformed ones, and those about messages that are not there for this person."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from chat.conversations.models import Conversation, Message
from chat.quotas.models import UsageEntry
from chat.turns.models import Generation
from tests.chat.turns.exchange import eventually, send

pytestmark = [pytest.mark.django_db(transaction=True)]


async def test_two_sends_with_one_client_id_make_one_message(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    frame = send("hello there")
    await tab.say(**frame)
    first = await tab.next()
    await tab.reply()
    await tab.say(**frame)
    again = await tab.until("ack")
    assert again["message_id"] == first["message_id"]
    assert await Generation.objects.acount() == 1


BAD_FRAMES = [
    ("{", "bad_frame"),
    ("[]", "bad_frame"),
    ('"text"', "bad_frame"),
    ("{}", "bad_frame"),
    ('{"type": 7}', "bad_frame"),
    ('{"type": "dance"}', "bad_frame"),
    ("[" * 60_000, "bad_frame"),
    ('{"type": "stop", "message_id": "no"}', "bad_frame"),
    ('{"type": "stop"}', "bad_frame"),
    (json.dumps({"type": "resume", "message_id": str(uuid.uuid4()), "after": -1}), "bad_frame"),
    (json.dumps({"type": "resume", "message_id": str(uuid.uuid4()), "after": True}), "bad_frame"),
    ('{"type": "send", "content": "", "client_id": "a"}', "bad_input"),
    ('{"type": "send", "content": "  \\n ", "client_id": "a"}', "bad_input"),
    ('{"type": "send", "content": 5, "client_id": "a"}', "bad_input"),
    ('{"type": "send", "content": "nul\\u0000", "client_id": "a"}', "bad_input"),
    ('{"type": "send", "content": "half \\ud800", "client_id": "a"}', "bad_input"),
    ('{"type": "nope", "ref": "\\ud800"}', "bad_input"),
    ('{"type": "send", "content": "x", "client_id": "\\ud800"}', "bad_input"),
    ('{"type": "send", "content": "x", "client_id": "a", "ref": {"deep": NaN}}', "bad_frame"),
    (json.dumps({"type": "send", "content": "x", "client_id": "a", "ref": "r" * 65}), "bad_frame"),
    ('{"type": "send", "content": "x", "client_id": ""}', "bad_input"),
    (json.dumps({"type": "send", "content": "x", "client_id": "c" * 65}), "bad_input"),
    ('{"type": "send", "content": "x"}', "bad_frame"),
    (json.dumps({"type": "send", "content": "long " * 1000, "client_id": "a"}), "too_long"),
]


async def test_bad_frames_get_a_clear_answer_and_the_next_message_works(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    for text, code in BAD_FRAMES:
        await tab.socket.send_to(text_data=text)
        error = await tab.next()
        assert (error["type"], error["code"]) == ("error", code), (text[:80], error)
        assert error["words"]
    await tab.socket.send_to(bytes_data=b"\x00\xff")
    assert (await tab.next())["code"] == "bad_frame"
    assert not await Conversation.objects.aexists()
    assert not await UsageEntry.objects.aexists()
    await tab.say(**send("still here"))
    await tab.until("ack")
    assert (await tab.reply())[0] == "still here"


async def test_foreign_and_unknown_ids_get_the_same_answer(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    alice, bob = await tabs("alice"), await tabs("bob")
    await alice.say(**send("secret words"))
    ack = await alice.next()
    await alice.reply()
    await eventually(lambda: Message.objects.filter(pk=ack["message_id"], status="complete").exists())
    unknown = str(uuid.uuid4())
    for conversation, message in [(ack["conversation"]["id"], ack["message_id"]), (unknown, unknown)]:
        for frame in [
            send("x", conversation),
            send("x", None, message),
            {"type": "resume", "message_id": message, "after": 0},
            {"type": "stop", "message_id": message},
            {"type": "regenerate", "message_id": message, "client_id": "r" + message[:8]},
        ]:
            await bob.say(**frame)
            error = await bob.next()
            assert (error["type"], error["code"]) == ("error", "not_found"), (frame, error)
            assert error["words"] == "That does not exist, or it is not yours."
    assert await Conversation.objects.acount() == 1


async def test_a_parent_must_be_an_answer_of_the_same_conversation(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    acks = []
    for words in ("one", "two"):
        await tab.say(**send(words))
        acks.append(await tab.until("ack"))
        await tab.reply()
    await eventually(lambda: Message.objects.filter(status="complete", role="assistant").count() == 2)
    await tab.say(**send("x", acks[0]["conversation"]["id"], acks[1]["message_id"]))
    assert (await tab.next())["code"] == "bad_input"
    await tab.say(**send("x", acks[0]["conversation"]["id"], acks[0]["messages"][0]["id"]))
    assert (await tab.next())["code"] == "bad_input"


async def test_no_second_question_while_the_reply_is_written(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("slow:300:20"))
    ack = await tab.next()
    await tab.say(**send("x", ack["conversation"]["id"], ack["message_id"], ref="second"))
    while (frame := await tab.next())["type"] in {"token", "queued"}:
        pass
    assert (frame["code"], frame["ref"]) == ("busy", "second")


@pytest.mark.parametrize(
    "text", ["\u200b", "\u2800\u3164", "\u00a0\u00ad\u115f", "\U000e0061\ufe0f", "\u202e\n\u034f"], ids=ascii
)
async def test_a_message_of_which_nothing_can_be_seen_is_empty(tabs: Any, broker: Any, text: str) -> None:
    tab = await tabs("alice")
    await tab.say(**send(text))
    error = await tab.next()
    assert (error["code"], error["words"]) == ("bad_input", "The message is empty.")
    assert not await Message.objects.aexists()
    broker.start_worker()
    await tab.say(**send("\U0001f468\u200d\U0001f469\u200d\U0001f467", client_id="emoji"))
    ack = await tab.until("ack")
    assert ack["messages"][0]["text"] == "\U0001f468\u200d\U0001f469\u200d\U0001f467"
