"""The details of an answer: its owner gets them, nobody else does."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.conversations.models import Message
from chat.turns.models import Generation
from tests.chat.conversations.building import talk
from tests.chat.turns.exchange import asked, cut, details, saved, send

pytestmark = [pytest.mark.django_db(transaction=True)]


async def test_details_of_a_complete_answer(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    ack = await asked(await tabs("alice"), "slow:6:20", params={"temperature": 0.5})
    told = await details(cast, ack["message_id"])
    row = await Generation.objects.aget(pk=ack["generation_id"])
    assert told["model"] == "Scripted"
    assert told["ended"] == "The model was done."
    assert (told["prompt_tokens"], told["completion_tokens"]) == (1, 6)
    assert told["first_token_ms"] == row.first_token_ms
    assert told["tokens_a_second"] == pytest.approx(5000 / (row.total_ms - row.first_token_ms), abs=0.1)
    assert told["seed"] == str(row.seed)
    assert told["settings"]["temperature"] == 0.5


async def test_details_of_a_stopped_answer_are_in_the_readers_language(
    tabs: Any, broker: Any, cast: Any
) -> None:
    broker.start_worker()
    ack, _ = await cut(await tabs("alice"))
    assert (await details(cast, ack["message_id"]))["ended"] == "You stopped it."
    french = await details(cast, ack["message_id"], **{"accept-language": "fr"})
    assert french["ended"] == "Vous l’avez arrêtée."


async def test_details_of_a_failed_answer_give_the_reason(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("oom:"))
    ack = await tab.until("ack")
    await tab.until("done")
    await saved(ack, "failed")
    told = await details(cast, ack["message_id"])
    assert "ran out of memory" in told["ended"]
    assert told["tokens_a_second"] is None


async def test_an_answer_that_waits_has_no_numbers_yet(tabs: Any, broker: Any, cast: Any) -> None:
    tab = await tabs("alice")
    await tab.say(**send("hello"))
    ack = await tab.until("ack")
    told = await details(cast, ack["message_id"])
    assert told["ended"] == "It is still being written."
    assert (told["prompt_tokens"], told["total_ms"]) == (None, None)


@pytest.mark.parametrize(("who", "status"), [("bob", 404), ("staff", 404), ("anonymous", 401)])
async def test_nobody_else_gets_the_details(tabs: Any, broker: Any, cast: Any, who: str, status: int) -> None:
    broker.start_worker()
    ack = await asked(await tabs("alice"), "hello")
    assert await details(cast, ack["message_id"], who) == status


async def test_questions_are_refused_and_imported_answers_have_no_details(cast: Any) -> None:
    conversation = await sync_to_async(talk)(cast.alice, "asked", "answered")
    question, answer = [each async for each in Message.objects.filter(conversation=conversation)]
    assert await details(cast, str(question.pk)) == 400
    assert await details(cast, str(answer.pk)) is None
    assert await details(cast, str(uuid.uuid4())) == 404
