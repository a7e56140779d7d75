"""Settings of answers: kept for a conversation, bounded, in the request and in the details."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.conversations.models import Conversation
from chat.personas.models import ConversationSettings
from chat.turns.models import Generation
from chat.turns.requests import request_for
from tests.chat.conversations.building import talk
from tests.chat.personas.choosing import choose
from tests.chat.turns.exchange import asked, details, send

pytestmark = [pytest.mark.django_db(transaction=True)]
ALL = {
    "temperature": 1.5,
    "top_p": 0.5,
    "top_k": 40,
    "min_p": 0.1,
    "repetition": 1.2,
    "max_tokens": 7,
    "seed": "9223372036854775807",
}


@sync_to_async
def request_of(ack: dict[str, Any]) -> Any:
    return request_for(Generation.objects.select_related("message", "user").get(pk=ack["generation_id"]))


async def test_a_new_conversation_begins_with_settings(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack = await asked(tab, "slow:20:1", start={"settings": ALL})
    request = await request_of(ack)
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (1.5, 0.5, 40)
    assert (sampling.min_p, sampling.repetition) == (0.1, 1.2)
    assert (request.seed, request.max_new_tokens) == (2**63 - 1, 7)
    result = await details(cast, ack["message_id"])
    assert (result["completion_tokens"], result["ended"]) == (7, "It reached the longest length allowed.")
    assert result["seed"] == ALL["seed"]
    assert result["settings"]["top_k"] == 40
    assert result["settings"]["repetition"] == 1.2


async def test_settings_hold_until_they_are_reset(tabs: Any, broker: Any, cast: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    first = await asked(tab, "hello")
    conversation = first["conversation"]["id"]
    change = sync_to_async(choose)
    result = (await change(cast, conversation, settings={**ALL, "top_k": None})).json()[
        "conversation_settings"
    ]["settings"]
    assert result == {name: value for name, value in ALL.items() if name != "top_k"}
    await tab.until("conversation_settings")  # it takes another way than the ack and may come after it
    second = await asked(tab, "again", conversation=conversation, parent=first["message_id"])
    assert (await request_of(second)).seed == 2**63 - 1
    assert (await change(cast, conversation, settings={})).json()["conversation_settings"]["settings"] == {}
    await tab.until("conversation_settings")
    third = await asked(tab, "again", conversation=conversation, parent=second["message_id"])
    request = await request_of(third)
    assert (request.sampling.temperature, request.sampling.repetition) == (0.7, 1.0)
    assert request.seed != 2**63 - 1


async def test_a_wish_for_one_answer_comes_first(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    settings = {"temperature": 1.5, "top_k": 9}
    ack = await asked(tab, "hello", start={"settings": settings}, params={"temperature": 0.2})
    sampling = (await request_of(ack)).sampling
    assert (sampling.temperature, sampling.top_k) == (0.2, 9)
    assert (await ConversationSettings.objects.aget()).settings == settings


BAD = [
    {"temperature": 2.1},
    {"temperature": -0.1},
    {"temperature": "1"},
    {"temperature": True},
    {"top_p": 0},
    {"top_k": 1.5},
    {"top_k": -1},
    {"min_p": 1.01},
    {"repetition": 0},
    {"max_tokens": 0},
    {"max_tokens": 10**9},
    {"seed": 2**63},
    {"seed": "-1"},
    {"seed": "٣"},
    {"seed": "1" * 400},
    {"heat": 1},
    [],
    "hot",
]


@pytest.mark.parametrize("settings", BAD)
def test_settings_outside_their_bounds_are_refused(cast: Any, settings: Any) -> None:
    conversation = talk(cast.alice, "one", "two")
    answer = choose(cast, conversation.pk, settings=settings)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input")
    assert not ConversationSettings.objects.exists()


def test_the_words_name_the_bounds(cast: Any) -> None:
    conversation = talk(cast.alice, "one", "two")
    words = choose(cast, conversation.pk, settings={"top_k": 5000}).json()["error"]["words"]
    assert words == "“Top-k” must be a whole number from 0 to 1000."


@pytest.mark.parametrize("settings", [{"temperature": 9}, {"heat": 1}, "hot"])
async def test_a_conversation_does_not_begin_with_them(tabs: Any, broker: Any, settings: Any) -> None:
    tab = await tabs("alice")
    await tab.say(**send("hello", start={"settings": settings}))
    assert (await tab.until_error())["code"] == "bad_input"
    assert await Conversation.objects.acount() == 0
