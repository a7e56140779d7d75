"""Staff's defaults and context limit of a model, where people and conversations chose nothing."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async

from chat.conversations.models import Conversation
from chat.model_cards.models import ModelCard
from chat.turns.models import Generation
from chat.turns.requests import request_for
from tests.chat.cast import Cast
from tests.chat.turns.exchange import asked, eventually, send

pytestmark = [pytest.mark.django_db(transaction=True)]


async def test_defaults_and_limit_apply_where_nobody_chose(
    tabs: Any, broker: Any, cast: Cast, model_card: ModelCard
) -> None:
    model_card.capabilities = {"efforts": ["low", "high"]}
    model_card.sampling = {"temperature": 0.9, "top_k": 7}
    await model_card.asave()
    values = {"context_limit": "400", "default_temperature": "0.2", "default_max_tokens": "33"}
    values |= {"default_effort": "high", "successor": "", "price": "1", "is_default": "on"}
    page = "/admin/model_cards/modelcard/scripted/change/"
    answer = await sync_to_async(lambda: cast.client("staff").post(page, values))()
    assert answer.status_code == 302
    broker.start_worker()
    tab = await tabs("alice")
    requests = []
    for params in ({}, {"temperature": 1.5, "max_tokens": 20, "effort": "low"}):
        ack = await asked(tab, "hello", params=params)
        row = await Generation.objects.select_related("message", "user").aget(pk=ack["generation_id"])
        requests.append(await sync_to_async(request_for)(row))
    usual, chosen = requests
    assert (usual.sampling.temperature, usual.sampling.top_k) == (0.2, 7)
    assert (usual.max_new_tokens, usual.effort, usual.context_limit) == (33, "high", 400)
    assert (chosen.sampling.temperature, chosen.max_new_tokens, chosen.effort) == (1.5, 20, "low")
    assert usual.required_version == 5
    conversation = await Conversation.objects.afirst()
    assert conversation is not None
    details = await sync_to_async(
        lambda: cast.client("alice").get(f"/api/conversations/{conversation.pk}/").json()
    )()
    assert details["context"]["limit"] == 400
    assert details["model"]["effort"] == "high"
    assert details["model"]["answer_tokens"] == {"usual": 33, "longest": 200}


async def test_a_question_beyond_the_limit_is_refused_though_the_engine_would_read_it(
    tabs: Any, broker: Any, model_card: ModelCard
) -> None:
    model_card.context_limit = 256
    await model_card.asave()
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("word " * 300))
    assert "reads at most about 1,024" in (await tab.until("error"))["words"]
    await tab.say(**send("w " * 260))  # short for a page, and too long for the engine
    await tab.until("done")
    assert await eventually(lambda: Generation.objects.filter(error="too_long").exists())
