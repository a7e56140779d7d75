"""A reply of several steps: what its socket, its settlement and every reader of its rows make of it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import IntegrityError, transaction

from chat.conversations.models import Message
from chat.conversations.serializers import message_json
from chat.quotas import services as quotas
from chat.quotas.models import UsageEntry
from chat.turns import submission
from chat.turns.event_positions import STEP, number_of, place_of
from chat.turns.models import Generation
from chat.turns.parameters import Parameters
from chat.turns.requests import request_for
from tests.chat.turns.exchange import asked, details, saved

pytestmark = pytest.mark.django_db(transaction=True)
FIRST, SECOND = "one two", "three four"


@sync_to_async
def add_step(ack: dict[str, Any], script: str) -> Generation:
    """Stores the next step of a settled reply as it will be when a step can ask for tools, and submits it."""
    with transaction.atomic():
        message = Message.objects.get(pk=ack["message_id"])
        before = Generation.objects.steps_of(message).last()
        assert before is not None
        Message.objects.filter(pk=message.pk).update(status="live")
        step = Generation.objects.create(
            message=message,
            step=before.step + 1,
            user=before.user,
            model=before.model,
            seed=before.seed,
            parameters=Parameters(max_new_tokens=100, prefix_characters=len(message.text)),
        )
        quotas.reserve(
            user=before.user,
            allowance=quotas.open_today(before.user),
            generation_id=step.pk,
            model=step.model,
            prompt_tokens=1,
            max_new_tokens=100,
            is_length_chosen=False,
        )
    submission.submit(request_for(step, [{"role": "user", "content": script}]))
    return step


@pytest.fixture
async def reply(tabs: Any, broker: Any) -> Any:
    """A reply of two steps, the second one running: its tab, its ack and the second step."""
    broker.start_worker()
    tab = await tabs("alice")
    ack = await asked(tab, "echo:" + FIRST)
    return tab, ack, await add_step(ack, "pace:30:" + SECOND)


@pytest.mark.parametrize(("step", "tokens"), [(0, 0), (0, 7), (1, 0), (3, STEP - 1)])
def test_a_number_names_a_step_and_a_place_in_it(step: int, tokens: int) -> None:
    assert place_of(number_of(step, tokens)) == (step, tokens)


async def test_tokens_of_a_second_step_are_numbered_after_those_of_the_first(reply: Any) -> None:
    tab, ack, _step = reply
    await tab.say(type="resume", message_id=ack["message_id"], after=STEP)
    pieces, done = [], None
    while done is None:
        frame = await tab.next()
        if frame["type"] == "token":
            pieces.append(frame)
        elif frame["type"] == "done":
            done = frame
    assert {frame["generation_id"] for frame in [*pieces, done]} == {ack["generation_id"]}
    assert [frame["after"] for frame in pieces] == [STEP, *(frame["seq"] for frame in pieces[:-1])]
    assert "".join(frame["text"] for frame in pieces) == SECOND
    assert (done["seq"], done["length"]) == (STEP + 2, len(FIRST + SECOND))
    assert done["sha256"] == hashlib.sha256((FIRST + SECOND).encode()).hexdigest()
    assert done["usage"]["completion_tokens"] == 4


async def test_a_settled_reply_says_the_same_as_its_last_log(reply: Any) -> None:
    tab, ack, _step = reply
    await tab.say(type="resume", message_id=ack["message_id"], after=STEP)
    live = await tab.until("done")
    assert (await saved(ack)).text == FIRST + SECOND
    await tab.say(type="resume", message_id=ack["message_id"], after=0)
    message = (await tab.until("message"))["message"]
    assert message["generation"] == {"id": ack["generation_id"], "seq": STEP + 2, "model": "scripted"}
    assert await tab.until("done") == live


async def test_readers_of_a_reply_see_all_its_steps(cast: Any, reply: Any) -> None:
    tab, ack, step = reply
    await tab.say(type="resume", message_id=ack["message_id"], after=STEP)
    await tab.until("done")
    await saved(ack)
    shown = await details(cast, ack["message_id"])
    assert shown["completion_tokens"] == 4

    @sync_to_async
    def read() -> tuple[Any, Any, list[int]]:
        client = cast.client("alice")
        address = f"/api/conversations/{ack['conversation']['id']}/"
        listed = client.get(f"{address}messages/").json()["messages"]
        export = client.get(f"{address}export/", {"format": "json"})
        written = json.loads(export.content)
        entries = UsageEntry.objects.filter(pk__in=[ack["generation_id"], step.pk])
        return listed, written, sorted(entry.completion_tokens for entry in entries)

    listed, written, charged = await read()
    assert len(listed) == 2
    assert listed[1]["generation"]["seq"] == STEP + 2
    assert [message["text"] for message in written["messages"]][1] == FIRST + SECOND
    assert written["messages"][1]["model"] == "scripted"
    assert charged == [2, 2]


async def test_a_resume_gets_settled_steps_from_their_rows_and_the_live_one_from_its_log(
    tabs: Any, broker: Any
) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack = await asked(tab, "think:1:echo:hm one two")
    await add_step(ack, "think:1:pace:30:so three four")
    await tab.say(type="resume", message_id=ack["message_id"], after=0)
    pieces, kinds = [], []
    while (frame := await tab.next())["type"] != "done":
        if frame["type"] == "token":
            pieces.append(frame)
            kinds.append((frame.get("kind", "text"), frame["text"]))
    assert [piece["after"] for piece in pieces] == [0, *(piece["seq"] for piece in pieces[:-1])]
    assert kinds[:3] == [("thought", "hm "), ("text", "one two"), ("step", "")]
    assert kinds[3][0] == "thought"
    assert "".join(text for kind, text in kinds if kind == "text") == "one twothree four"
    whole = "hm one twoso three four"
    assert (frame["length"], frame["sha256"]) == (len(whole), hashlib.sha256(whole.encode()).hexdigest())
    shown = (await sync_to_async(message_json)(await saved(ack)))["parts"]
    assert shown == [
        {"kind": "thought", "text": "hm ", "offset": 0},
        {"kind": "thought", "text": "so ", "offset": len("one two")},
    ]
    await tab.say(type="resume", message_id=ack["message_id"], after=2)
    assert await tab.until("done") == frame


async def test_a_resume_within_a_settled_step_gets_its_stretch_again(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack = await asked(tab, "think:1:echo:hm one two")
    await add_step(ack, "slow:3:30")
    await tab.say(type="resume", message_id=ack["message_id"], after=2)
    first, border = await tab.until("token"), await tab.until("token")
    assert (first["after"], first["seq"], first["text"]) == (1, 3, "one two")
    assert (border["after"], border["seq"], border["text"], border["kind"]) == (3, STEP, "", "step")
    await tab.until("done")


async def test_a_stop_ends_the_step_that_runs(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack = await asked(tab, "echo:" + FIRST)
    await add_step(ack, "slow:500:20")
    await tab.say(type="resume", message_id=ack["message_id"], after=STEP)
    await tab.until("token")
    await tab.say(type="stop", message_id=ack["message_id"])
    assert (await tab.until("done"))["status"] == "stopped"
    assert (await saved(ack, "stopped")).text.startswith(FIRST + "w1 ")


async def test_a_step_is_stored_once(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    ack = await asked(await tabs("alice"), "echo:x")
    before = await Generation.objects.select_related("message", "user").aget(pk=ack["generation_id"])

    @sync_to_async
    def store_again() -> None:
        Generation.objects.create(message=before.message, user=before.user, model="scripted", seed=1)

    with pytest.raises(IntegrityError):
        await store_again()
