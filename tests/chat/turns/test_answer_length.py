"""Tests the limit of an answer: a quarter of the context, GROKWEB_MAX_NEW_TOKENS, or a person's choice."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.model_cards.models import ModelCard
from chat.turns.models import Generation
from tests.chat.turns.exchange import asked

pytestmark = [pytest.mark.django_db(transaction=True)]


@sync_to_async
def longest_of(ack: dict[str, Any]) -> int:
    generation = Generation.objects.get(pk=ack["generation_id"])
    return int(generation.parameters.max_new_tokens)


@sync_to_async
def read_at_most(tokens: int) -> None:
    ModelCard.objects.filter(slug="scripted").update(context_tokens=tokens)


@pytest.mark.parametrize(
    ("context", "limit", "usual", "longest"),
    [
        (32_768, 0, 8_192, 16_384),
        (4_096, 0, 1_024, 2_048),
        (1_024, 0, 512, 512),
        (600, 0, 300, 300),  # the prompt keeps half
        (32_768, 700, 700, 700),  # a number that is set is a limit
        (1_024, 4_096, 512, 512),
    ],
)
async def test_lengths_follow_the_context_and_the_setting(
    tabs: Any, broker: Any, settings: Any, context: int, limit: int, usual: int, longest: int
) -> None:
    settings.MAX_NEW_TOKENS = limit
    await read_at_most(context)
    broker.start_worker()
    tab = await tabs("alice")
    assert await longest_of(await asked(tab, "one")) == usual
    ack = await asked(tab, "two", params={"max_tokens": 1_000_000})
    assert await longest_of(ack) == longest
    ack = await asked(tab, "three", params={"max_tokens": 7})
    assert await longest_of(ack) == 7


async def test_a_day_that_is_nearly_used_up_is_not_reserved_whole(
    tabs: Any, broker: Any, settings: Any
) -> None:
    settings.DAILY_TOKENS = 10_000
    await read_at_most(65_536)
    broker.start_worker()
    tab = await tabs("alice")
    granted = await longest_of(await asked(tab, "one"))
    assert 4_900 < granted <= 5_000
    assert await longest_of(await asked(tab, "two", params={"max_tokens": 9_000})) == 9_000


def test_the_page_gets_the_answer_lengths_of_a_model(cast: Any, settings: Any) -> None:
    settings.MAX_NEW_TOKENS = 0
    ModelCard.objects.filter(slug="scripted").update(context_tokens=16_384)
    (model,) = cast.client("alice").get("/api/models/").json()["models"]
    assert model["answer_tokens"] == {"usual": 4_096, "longest": 8_192}
