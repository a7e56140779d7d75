"""People choose how much a model thinks, for a conversation or an answer, where the model offers it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.conversations.models import Message
from chat.model_cards.models import ModelCard
from chat.turns.models import Generation, Part
from tests.chat.turns.exchange import asked, saved, send

pytestmark = pytest.mark.django_db(transaction=True)

SCRIPT = "think:2:echo:let me see"


@pytest.fixture
async def tab(tabs: Any, broker: Any, model_card: ModelCard) -> Any:
    model_card.capabilities = {"reasoning": True, "efforts": ["off", "low", "high"]}
    await model_card.asave()
    broker.start_worker()
    return await tabs("alice")


async def refused(tab: Any, **params: Any) -> str:
    await tab.say(**send(SCRIPT, params=params))
    words: str = (await tab.until("error"))["words"]
    return words


async def effort_of(ack: dict[str, Any]) -> str:
    row = await Generation.objects.aget(pk=ack["generation_id"])
    return row.parameters.effort


async def test_the_effort_reaches_the_model_and_is_stored(tab: Any, cast: Any) -> None:
    ack = await asked(tab, SCRIPT, params={"effort": "off"})
    assert not await Part.objects.aexists()
    assert await effort_of(ack) == "off"
    url = f"/api/messages/{ack['message_id']}/details/"
    details = (await sync_to_async(lambda: cast.client("alice").get(url).json())())["details"]
    assert details["settings"]["effort"] == "off"
    ack = await asked(tab, "effort:", params={"effort": "low"})
    assert (await saved(ack)).text == "low"


async def test_without_a_choice_the_model_thinks_as_it_does_by_itself(tab: Any) -> None:
    ack = await asked(tab, SCRIPT)
    assert await Part.objects.acount() == 1
    assert await effort_of(ack) == ""


async def test_an_effort_that_the_model_lacks_is_refused(tab: Any) -> None:
    words = await refused(tab, effort="medium")
    assert words == "The model “Scripted” cannot be asked to think with effort “medium”."
    assert "off, low, medium, high" in await refused(tab, effort="much")
    assert "off, low, medium, high" in await refused(tab, effort=1)
    assert not await Message.objects.aexists()


async def test_an_effort_of_the_conversation_holds_until_its_model_lacks_it(tab: Any) -> None:
    ack = await asked(tab, SCRIPT, start={"settings": {"effort": "low"}})
    assert await effort_of(ack) == "low"
    await ModelCard.objects.aupdate(capabilities={})
    again = await asked(tab, SCRIPT, conversation=ack["conversation"]["id"], parent=ack["message_id"])
    assert await effort_of(again) == ""


async def test_answers_with_different_efforts_say_so_and_a_continued_one_keeps_its_own(tab: Any) -> None:
    ack = await asked(tab, SCRIPT, params={"effort": "high"})
    await tab.say(
        type="regenerate",
        message_id=ack["message_id"],
        client_id=uuid.uuid4().hex,
        params={"effort": "off", "max_tokens": 1},
    )
    other = await tab.until("ack")
    await tab.reply()
    await saved(other)
    await tab.say(type="resume", message_id=ack["message_id"], after=0)
    assert (await tab.until("message"))["message"]["differs"]["effort"] == "high"
    await tab.say(type="continue", message_id=other["message_id"], client_id=uuid.uuid4().hex)
    assert await effort_of(await tab.until("ack")) == "off"
