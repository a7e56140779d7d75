"""The state of each model, and choosing one for a new conversation and later."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from chat.conversations.models import Conversation, Message
from chat.model_cards.models import ModelCard
from chat.turns import redis_client
from chat.turns.models import Generation
from inference.base.model_list import state
from inference.wire import scripts
from tests.chat.turns.exchange import asked, send

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture
def other(model_card: ModelCard) -> ModelCard:
    """A model that nobody runs."""
    return ModelCard.objects.create(slug="other", name="Another", about="Sleeps.", context_tokens=99)


@sync_to_async
def models(cast: Any, who: str = "alice") -> Any:
    answer = cast.client(who).get("/api/models/")
    return answer.json()["models"] if answer.status_code == 200 else answer.status_code


@sync_to_async
def choose(cast: Any, conversation: str, model: Any, who: str = "alice") -> Any:
    path = f"/api/conversations/{conversation}/"
    return cast.client(who).patch(path, {"model": model}, content_type="application/json")


async def test_each_model_says_what_it_is_and_how_it_is_doing(
    tabs: Any, broker: Any, cast: Any, other: ModelCard
) -> None:
    worker = broker.start_worker(slots=1)
    worker._beat()
    tab = await tabs("alice")
    await tab.say(**send("slow:400:20"))
    first = await tab.until("ack")
    await tab.until("token")
    await tab.say(**send("waits"))
    second = await tab.until("ack")
    scripted, sleeper = await models(cast)
    assert (scripted["slug"], scripted["about"]) == ("scripted", "Answers for tests.")
    assert (scripted["running"], scripted["waiting"]) == (True, 1)
    assert (sleeper["slug"], sleeper["running"], sleeper["context_tokens"]) == ("other", False, 99)
    for ack in (second, first):
        await tab.say(type="stop", message_id=ack["message_id"])
    await tab.until("done")
    await tab.until("done")


async def test_a_model_whose_worker_was_just_started_here_is_starting(
    cast: Any, other: ModelCard, settings: Any, tmp_path: Path
) -> None:
    settings.RUN_DIR = tmp_path
    worker = state.WorkerState(state.Step.STARTED, time.time())
    long_ago, refused = replace(worker, since=0.0), replace(worker, step=state.Step.REFUSED)
    for each, starting in ((worker, True), (long_ago, False), (refused, False)):
        state.publish(tmp_path, state.ServiceState("scripted", {"other": each}))
        assert [model["starting"] for model in await models(cast)] == [False, starting]


async def test_new_chats_get_the_default_that_the_service_publishes(
    cast: Any, other: ModelCard, settings: Any, tmp_path: Path
) -> None:
    settings.RUN_DIR = tmp_path
    await ModelCard.objects.aupdate(last_seen_at=timezone.now(), is_default=False)
    for slug in ("other", "scripted"):
        state.publish(tmp_path, state.ServiceState(slug))
        assert (await models(cast))[0]["slug"] == slug


def test_the_engine_page_shows_models_that_cannot_be_served(
    cast: Any, model_card: ModelCard, settings: Any, tmp_path: Path
) -> None:
    settings.RUN_DIR = tmp_path
    refused = state.WorkerState(state.Step.REFUSED, 1.0, "no model at /nowhere")
    state.publish(
        tmp_path, state.ServiceState("scripted", {"big": refused}, ("models.toml: [x] slots: wrong",))
    )
    page = cast.client("staff").get("/admin/engine/").content.decode()
    assert "[big] no model at /nowhere" in page
    assert "models.toml: [x] slots: wrong" in page


async def test_without_redis_the_state_of_a_model_is_unknown(
    cast: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = scripts.connect("redis://127.0.0.1:1/0")
    monkeypatch.setattr(redis_client, "client", lambda: nobody)
    assert [each["running"] for each in await models(cast)] == [None]


async def test_anonymous_people_see_no_models(cast: Any) -> None:
    assert await models(cast, "anonymous") == 401


async def test_a_new_conversation_begins_with_a_model(tabs: Any, broker: Any, other: ModelCard) -> None:
    tab = await tabs("alice")
    await tab.say(**send("hello", start={"model": "other"}))
    ack = await tab.until("ack")
    assert ack["conversation"]["model"] == "other"
    assert (await Generation.objects.aget(pk=ack["generation_id"])).model == "other"


@pytest.mark.parametrize(
    "start",
    [
        {"model": "none"},
        {"model": 7},
        {"models": "other"},
        {"temporary": "yes"},
        {"temporary": 1},
        ["model"],
        "other",
    ],
)
async def test_an_unknown_start_option_is_refused_and_stores_nothing(
    tabs: Any, broker: Any, start: Any
) -> None:
    tab = await tabs("alice")
    await tab.say(**send("hello", start=start))
    assert (await tab.until_error())["code"] == "bad_input"
    assert await Conversation.objects.acount() == await Message.objects.acount() == 0


async def test_a_chosen_model_answers_the_next_question(
    tabs: Any, broker: Any, cast: Any, other: ModelCard
) -> None:
    broker.start_worker()
    tab, second = await tabs("alice"), await tabs("alice")
    first = await asked(tab, "hello")
    conversation = first["conversation"]["id"]
    answer = await choose(cast, conversation, "other")
    assert answer.json()["conversation"]["model"] == "other"
    assert answer.json()["context"]["limit"] == 99
    while (await second.until("conversation"))["conversation"]["model"] != "other":
        pass  # the other tab hears of the question first
    await tab.say(**send("next", conversation, first["message_id"]))
    ack = await tab.until("ack")
    assert ack["messages"][-1]["generation"]["model"] == "other"
    assert (await Generation.objects.aget(pk=first["generation_id"])).model == "scripted"


@pytest.mark.parametrize(
    ("who", "model", "status"),
    [("alice", "none", 400), ("alice", None, 400), ("bob", "other", 404), ("staff", "other", 404)],
)
async def test_only_the_owner_chooses_an_existing_model(
    tabs: Any, broker: Any, cast: Any, other: ModelCard, who: str, model: Any, status: int
) -> None:
    broker.start_worker()
    ack = await asked(await tabs("alice"), "hello")
    assert (await choose(cast, ack["conversation"]["id"], model, who)).status_code == status
    assert (await Conversation.objects.aget()).model_id == "scripted"
