"""A reply that was cut within its thought is continued there, or honestly begun again."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chat.conversations.models import Message
from chat.conversations.serializers import message_json
from chat.model_cards.models import ModelCard
from chat.turns import reconcile, redis_client
from chat.turns.models import Generation, Part
from chat.turns.requests import request_for
from chat.turns.sent_prompt import sent_prompt
from inference.contract import Resume
from tests.chat.turns.exchange import asked, details, eventually, saved, send
from tests.faults.client import Reply, words

pytestmark = pytest.mark.django_db(transaction=True)

LONG = "think:3000:slow:3000:20"  # of a reply that is stopped
MORE, ANSWER = 20, 5  # words that a continued thought still has, and words of the answer


@pytest.fixture(autouse=True)
def _reconcile_at_once(settings: Any) -> None:
    settings.RECONCILE_AGE_SECONDS = -60
    settings.REDIS_REST_SECONDS = 0.001


@sync_to_async
def pass_of_reconcile() -> None:
    reconcile.sync_models()
    reconcile.reconcile()


async def submitted_again(ack: dict[str, Any]) -> None:
    """Lets reconcile work until it has submitted a reply that Redis lost; it rests before."""

    def is_submitted() -> bool:
        reconcile.reconcile()
        return Generation.objects.filter(pk=ack["generation_id"], attempt__gt=1).exists()

    await eventually(is_submitted)


@sync_to_async
def shown(ack: dict[str, Any]) -> dict[str, Any]:
    return message_json(Message.objects.get(pk=ack["message_id"]))


@sync_to_async
def request_of(ack: dict[str, Any]) -> Any:
    row = Generation.objects.select_related("message__parent", "user").get(pk=ack["generation_id"])
    return request_for(row)


async def begin(tab: Any, broker: Any, resume: Resume = Resume.EXACT) -> None:
    broker.start_worker(resume=resume)
    await pass_of_reconcile()  # the card knows what the worker can do


async def stopped(tab: Any, ack: dict[str, Any], tokens: int = 1) -> Part:
    """Stops a reply at its first tokens, within its thought; returns the part that it wrote."""
    while tokens and (await tab.until("token"))["seq"] < tokens:
        pass
    await tab.say(type="stop", message_id=ack["message_id"])
    await tab.until("done")
    assert (await saved(ack, "stopped")).text == ""
    return await Part.objects.aget(generation=ack["generation_id"], seq__gt=0)


async def ask(tab: Any, script: str = LONG) -> dict[str, Any]:
    await tab.say(**send(script))
    ack: dict[str, Any] = await tab.until("ack")
    return ack


async def go_on(tab: Any, ack: dict[str, Any], client_id: str = "on") -> dict[str, Any]:
    await tab.say(type="continue", message_id=ack["message_id"], client_id=client_id)
    continued: dict[str, Any] = await tab.until("ack")
    return continued


async def shorten(ack: dict[str, Any], known: str) -> tuple[str, str]:
    """Lets the rest of a thought and its answer be short ones; returns the whole thought, and the answer."""
    count = len(known.split()) + MORE
    script = f"think:{count}:slow:{count + ANSWER}:15"
    await Message.objects.filter(children=ack["message_id"]).aupdate(text=script)
    thought = words(count) + " "
    return thought, words(count + ANSWER).removeprefix(thought)


def hold_after(engine: Any, words: int) -> None:
    """The engine writes about so many words of each answer, and does not end it."""
    schedule = engine._schedule
    engine._schedule = lambda answer: schedule(answer) if answer.made < words else None


async def refusal(tab: Any, ack: dict[str, Any]) -> str:
    await tab.say(type="continue", message_id=ack["message_id"], client_id="on")
    code: str = (await tab.until_error())["code"]
    return code


async def test_a_thought_goes_on_where_it_was_cut_and_is_shown_whole(
    tabs: Any, broker: Any, cast: Any
) -> None:
    tab, other = await tabs("alice"), await tabs("alice")
    await begin(tab, broker)
    ack = await ask(tab)
    old = await stopped(tab, ack, 10)
    thought, text = await shorten(ack, old.text)
    more = await go_on(tab, ack)
    begun = {"kind": "thought", "text": old.text, "offset": 0, "duration_ms": old.duration_ms}
    assert more["messages"][0]["parts"] == [begun]
    await other.say(type="resume", message_id=more["message_id"], after=0)
    told = Reply(LONG)
    told.acknowledged(more["message_id"], more["generation_id"])
    while told.done is None:
        told.apply(await other.next())
    assert told.is_whole()
    assert old.text + told.state.everything == thought + text
    await saved(more)
    message = await shown(more)
    new = await Part.objects.aget(generation=more["generation_id"], seq__gt=0)
    assert message["text"] == text
    assert message["parts"] == [{**begun, "text": thought, "duration_ms": old.duration_ms + new.duration_ms}]
    assert "restarted" not in message
    facts = await details(cast, more["message_id"])
    assert (facts["thought_tokens"], facts["completion_tokens"]) == (MORE, MORE + ANSWER)
    prompt = (await sync_to_async(sent_prompt)(await Message.objects.aget(pk=more["message_id"]))) or {}
    assert prompt["messages"][-1] == {"role": "assistant", "text": "", "shown": True, "thought": old.text}
    assert (await shown(ack))["parts"] == [begun]
    await other.say(type="resume", message_id=more["message_id"], after=0)
    assert await other.until("done") == told.done


@pytest.mark.parametrize("tokens", [0, 1, 10], ids=["before its first token", "at the first", "within"])
async def test_a_continued_thought_that_is_stopped_is_continued_again(
    tabs: Any, broker: Any, tokens: int
) -> None:
    tab = await tabs("alice")
    await begin(tab, broker)
    ack = await ask(tab)
    old = await stopped(tab, ack, 5)
    engine = broker.runtime.engine
    schedule = engine._schedule
    if not tokens:
        engine._schedule = lambda answer: None  # it writes nothing
    second = await go_on(tab, ack)
    if tokens:
        known = old.text + (await stopped(tab, second, tokens)).text
    else:
        await tab.say(type="stop", message_id=second["message_id"])
        await tab.until("done")
        await saved(second, "stopped")
        known = old.text
    engine._schedule = schedule
    assert [part["text"] for part in (await shown(second))["parts"]] == [known]
    thought, text = await shorten(second, known)
    third = await go_on(tab, second, "again")
    assert [part["text"] for part in third["messages"][0]["parts"]] == [known]
    await tab.reply()
    await saved(third)
    message = await shown(third)
    assert ([part["text"] for part in message["parts"]], message["text"]) == ([thought], text)


async def test_the_row_alone_gives_the_same_request_again(tabs: Any, broker: Any) -> None:
    tab = await tabs("alice")
    await begin(tab, broker)
    ack = await ask(tab)
    old = await stopped(tab, ack, 3)
    await shorten(ack, old.text)
    more = await go_on(tab, ack)
    request = await request_of(more)
    assert (request.thought, request.required_version) == (old.text, 4)
    assert request.messages[-1]["role"] == "user"
    assert (await request_of(ack)).thought == ""
    await tab.reply()


async def test_a_worker_that_leaves_within_a_continued_thought_is_followed_by_the_next(
    tabs: Any, broker: Any
) -> None:
    tab = await tabs("alice")
    await begin(tab, broker)
    ack = await ask(tab)
    thought, text = await shorten(ack, (await stopped(tab, ack, 5)).text)
    hold_after(broker.runtime.engine, 5)
    more = await go_on(tab, ack)
    told = Reply(LONG)
    told.acknowledged(more["message_id"], more["generation_id"])
    while told.seq < 3:
        told.apply(await tab.next())
    await sync_to_async(broker.stop_worker)()
    broker.start_worker()
    broker.ticket("scripted")
    while told.done is None:
        told.apply(await tab.next())
    assert told.is_whole()
    assert told.state.run == 0
    await saved(more)
    message = await shown(more)
    assert ([part["text"] for part in message["parts"]], message["text"]) == ([thought], text)


async def test_a_redis_without_its_data_costs_nothing_of_a_continued_thought(tabs: Any, broker: Any) -> None:
    tab = await tabs("alice")
    await begin(tab, broker)
    ack = await ask(tab)
    thought, text = await shorten(ack, (await stopped(tab, ack, 5)).text)
    await sync_to_async(broker.stop_worker)()
    more = await go_on(tab, ack)
    await sync_to_async(redis_client.client().flushdb)()
    broker.start_worker()
    await pass_of_reconcile()
    await submitted_again(more)
    broker.ticket("scripted")
    await saved(more)
    message = await shown(more)
    assert ([part["text"] for part in message["parts"]], message["text"]) == ([thought], text)


@pytest.mark.parametrize("resume", [Resume.PREFIX, Resume.RESTART])
async def test_a_model_that_cannot_go_on_in_a_thought_begins_again_and_says_so(
    tabs: Any, broker: Any, resume: Resume
) -> None:
    tab = await tabs("alice")
    await begin(tab, broker, resume)
    ack = await ask(tab)
    thought, text = await shorten(ack, (await stopped(tab, ack, 3)).text)
    more = await go_on(tab, ack)
    assert more["messages"][0]["restarted"] is True
    assert "parts" not in more["messages"][0]
    await tab.reply()
    await saved(more)
    message = await shown(more)
    assert ([part["text"] for part in message["parts"]], message["text"]) == ([thought], text)
    assert message["restarted"] is True


async def test_a_model_that_lost_the_ability_meanwhile_begins_again_in_a_new_run(
    tabs: Any, broker: Any, model_card: ModelCard
) -> None:
    tab = await tabs("alice")
    await begin(tab, broker)
    ack = await ask(tab)
    thought, _text = await shorten(ack, (await stopped(tab, ack, 3)).text)
    await sync_to_async(broker.stop_worker)()
    more = await go_on(tab, ack)
    await sync_to_async(redis_client.client().flushdb)()
    broker.start_worker(resume=Resume.RESTART)
    await pass_of_reconcile()
    await submitted_again(more)
    assert (await request_of(more)).thought == ""
    broker.ticket("scripted")
    await saved(more)
    message = await shown(more)
    assert message["restarted"] is True
    assert [part["text"] for part in message["parts"]] == [thought.upper()]


async def test_a_pass_that_breaks_off_forgets_nothing_of_a_continued_thought(
    tabs: Any, broker: Any, model_card: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    tab = await tabs("alice")
    await begin(tab, broker)
    ack = await ask(tab)
    await shorten(ack, (await stopped(tab, ack, 3)).text)
    await sync_to_async(broker.stop_worker)()
    more = await go_on(tab, ack)
    await sync_to_async(redis_client.client().flushdb)()
    broker.start_worker(resume=Resume.RESTART)
    broken = []

    def break_off(*_: Any) -> None:
        broken.append(1)
        raise SystemError

    def is_broken() -> list[int]:
        reconcile.reconcile()
        return broken

    with monkeypatch.context() as patched:
        patched.setattr(reconcile, "delete_if_forgotten", break_off)
        await pass_of_reconcile()
        await eventually(is_broken)
    row = await Generation.objects.aget(pk=more["generation_id"])
    assert (row.attempt, row.run, row.has_parts, row.parameters.began_again) == (1, 0, True, False)
    assert await Part.objects.filter(generation=row).acount() == 1


async def test_text_behind_a_thought_is_continued_from_the_text(tabs: Any, broker: Any) -> None:
    tab = await tabs("alice")
    await begin(tab, broker)
    ack = await ask(tab, "think:3:slow:3000:20")
    while (await tab.until("token"))["seq"] < 10:
        pass
    await tab.say(type="stop", message_id=ack["message_id"])
    await tab.until("done")
    cut = await saved(ack, "stopped")
    await Message.objects.filter(children=cut).aupdate(text="think:3:slow:40:15")
    more = await go_on(tab, ack)
    assert (more["messages"][0]["text"], more["messages"][0].get("parts")) == (cut.text, None)
    assert (await request_of(more)).thought == ""
    await tab.reply()
    assert (await saved(more)).text == words(40).removeprefix("w1 w2 w3 ")


async def test_a_length_spent_on_thinking_is_continued_with_as_much_again(tabs: Any, broker: Any) -> None:
    tab = await tabs("alice")
    await begin(tab, broker)
    ack = await asked(tab, "think:4:echo:a b c d Four", params={"max_tokens": 3})
    more = await go_on(tab, ack)
    await tab.reply()
    await saved(more)
    message = await shown(more)
    assert ([part["text"] for part in message["parts"]], message["text"]) == (["a b c d "], "Four")


async def test_a_thought_that_is_whole_or_hidden_is_not_continued(tabs: Any, broker: Any) -> None:
    tab = await tabs("alice")
    await begin(tab, broker)
    whole = await asked(tab, "think:4:echo:a b c d")
    assert await refusal(tab, whole) == "bad_input"
    ack = await ask(tab)
    await stopped(tab, ack, 3)
    await Message.objects.filter(pk=ack["message_id"]).aupdate(hidden_at=timezone.now())
    assert await refusal(tab, ack) == "bad_input"


async def test_a_stranger_continues_no_thought(tabs: Any, broker: Any) -> None:
    tab, stranger = await tabs("alice"), await tabs("bob")
    await begin(tab, broker)
    ack = await ask(tab)
    await stopped(tab, ack, 3)
    assert await refusal(stranger, ack) == "not_found"
    assert await Message.objects.filter(role="assistant").acount() == 1
