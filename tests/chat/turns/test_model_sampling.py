"""A model's own sampling counts where nobody chose another, and the page shows it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async

from chat.model_cards.models import ModelCard
from chat.turns.models import Generation
from chat.turns.reconcile import sync_models
from chat.turns.requests import request_for
from inference.wire import queue
from tests.chat.turns.exchange import asked

pytestmark = [pytest.mark.django_db(transaction=True)]
OWN = {"temperature": 0.6, "top_p": 0.8, "top_k": 20, "min_p": 0.05, "repetition": 1.05, "presence": 0.5}


@sync_to_async
def sampling_of(ack: dict[str, Any]) -> Any:
    generation = Generation.objects.select_related("message", "user").get(pk=ack["generation_id"])
    return request_for(generation).sampling


@sync_to_async
def announce(client: redis.Redis, slug: str, sampling: str) -> None:
    queue.announce_model(client, slug, name=slug, context=1024, is_demo=0, about="", sampling=sampling)
    sync_models()


@sync_to_async
def models(cast: Any) -> Any:
    return cast.client("alice").get("/api/models/").json()["models"]


async def test_the_models_sampling_applies_where_nobody_chose(tabs: Any, broker: Any) -> None:
    await ModelCard.objects.filter(slug="scripted").aupdate(sampling=OWN)
    broker.start_worker()
    tab = await tabs("alice")
    first = await asked(tab, "hello")
    sampling = await sampling_of(first)
    assert {name: getattr(sampling, name) for name in OWN} == OWN
    assert sampling.frequency == 0.0
    second = await asked(tab, "hello", params={"temperature": 1.5})
    sampling = await sampling_of(second)
    assert (sampling.temperature, sampling.top_p, sampling.presence) == (1.5, 0.8, 0.5)


async def test_a_conversations_settings_come_before_the_models(tabs: Any, broker: Any) -> None:
    await ModelCard.objects.filter(slug="scripted").aupdate(sampling=OWN)
    broker.start_worker()
    tab = await tabs("alice")
    ack = await asked(tab, "hello", start={"settings": {"top_k": 0, "repetition": 1.0}})
    sampling = await sampling_of(ack)
    assert (sampling.top_k, sampling.repetition, sampling.temperature) == (0, 1.0, 0.6)


async def test_an_announcement_reaches_the_page(cast: Any, redis_client: redis.Redis) -> None:
    await announce(redis_client, "own", json.dumps(OWN))
    told = await models(cast)
    assert {each["slug"]: each["sampling"] for each in told} == {"scripted": {}, "own": OWN}


@pytest.mark.parametrize(
    "raw", ["{", "[]", '{"heat": 1}', '{"temperature": 9}', '{"temperature": "0.5"}', "null"]
)
async def test_an_announcement_that_makes_no_sense_changes_nothing(
    cast: Any, redis_client: redis.Redis, raw: str
) -> None:
    await announce(redis_client, "own", raw)
    assert (await ModelCard.objects.aget(slug="own")).sampling == {}
