"""A new chat gets the model that staff chose, else the configured one, else one that runs."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from django.utils import timezone

from chat.model_cards.models import ModelCard
from chat.turns import socket_monitor
from inference.wire import queue
from tests.chat.turns.announcing import ADMIN, announce, change, goes, models, new_chat, rule, seen

pytestmark = [pytest.mark.django_db(transaction=True)]


# --- The order --------------------------------------------------------------------------------------------


def test_a_model_that_runs_elsewhere_gets_new_chats_when_nobody_runs_the_configured_one(
    cast: Any, site: Any, redis_client: redis.Redis
) -> None:
    announce(redis_client, "grok-1")
    assert new_chat(cast) == "grok-1"
    assert models(cast) == ["grok-1", "scripted"]
    assert rule(cast) == ("grok-1", "seen")


def test_the_configured_model_wins_while_it_is_seen(cast: Any, site: Any, redis_client: redis.Redis) -> None:
    announce(redis_client, "grok-1")
    announce(redis_client, "scripted")
    assert (new_chat(cast), rule(cast)[1]) == ("scripted", "configured")
    seen("scripted", 9.9)
    assert new_chat(cast) == "scripted"
    goes(redis_client, "scripted")
    seen("scripted", 10.1)
    assert (new_chat(cast), rule(cast)[1]) == ("grok-1", "seen")


def test_the_staffs_choice_wins_and_no_announcement_changes_it(
    cast: Any, site: Any, redis_client: redis.Redis
) -> None:
    announce(redis_client, "grok-1")
    announce(redis_client, "tiny", is_demo=1)
    assert change(cast, "tiny", is_default="on").status_code == 200
    announce(redis_client, "scripted")
    announce(redis_client, "grok-1")
    assert (new_chat(cast), rule(cast)) == ("tiny", ("tiny", "staff"))
    goes(redis_client, "tiny")
    seen("tiny", 600)
    assert new_chat(cast) == "tiny"
    change(cast, "grok-1", is_default="on")
    assert list(ModelCard.objects.filter(is_default=True).values_list("slug", flat=True)) == ["grok-1"]
    change(cast, "grok-1")
    assert (new_chat(cast), rule(cast)[1]) == ("scripted", "configured")


def test_the_configured_model_is_waited_for_while_it_starts_here(
    cast: Any, site: Any, redis_client: redis.Redis
) -> None:
    announce(redis_client, "grok-1")
    site.MODEL_WORKER_SINCE = time.time() - 60
    assert (new_chat(cast), rule(cast)[1]) == ("scripted", "starting")
    site.MODEL_WORKER_SINCE = time.time() - 3600
    assert (new_chat(cast), rule(cast)[1]) == ("grok-1", "seen")


def test_a_restart_of_a_worker_never_moves_new_chats(cast: Any, site: Any, redis_client: redis.Redis) -> None:
    announce(redis_client, "zephyr")
    ModelCard.objects.filter(slug="zephyr").update(seen_since=timezone.now() - timedelta(hours=1))
    announce(redis_client, "aurora")  # came later, whatever its name
    assert new_chat(cast) == "zephyr"
    goes(redis_client, "zephyr")
    seen("zephyr", 5)
    announce(redis_client, "aurora")
    assert new_chat(cast) == "zephyr"
    announce(redis_client, "zephyr")
    assert new_chat(cast) == "zephyr"


def test_a_real_model_comes_before_a_demo_model(cast: Any, site: Any, redis_client: redis.Redis) -> None:
    announce(redis_client, "tiny", is_demo=1)
    announce(redis_client, "zephyr")
    assert new_chat(cast) == "zephyr"


def test_if_none_was_seen_the_configured_model_is_named_as_not_running(
    cast: Any, site: Any, redis_client: redis.Redis
) -> None:
    announce(redis_client, "grok-1", runs=False)
    assert (new_chat(cast), rule(cast)) == ("scripted", ("scripted", "none_seen"))
    seen("grok-1", 60)
    assert new_chat(cast) == "grok-1"  # somebody ran it once, and never the configured one
    seen("scripted", 120)
    assert new_chat(cast) == "grok-1"  # the configured one ran once, and had gone before
    seen("scripted", 65)
    assert new_chat(cast) == "scripted"  # both went at about the same time
    site.MODEL_SLUG = "not announced"
    assert (new_chat(cast), rule(cast)[1]) == ("grok-1", "none_seen")


def test_a_restart_of_any_length_moves_no_new_chats_to_the_demo_model_of_old(
    cast: Any, site: Any, redis_client: redis.Redis
) -> None:
    """The configured demo model was tried before there was a GPU host, whose model takes long to load."""
    announce(redis_client, "grok-1")
    ModelCard.objects.filter(slug="scripted").update(is_demo=True)
    seen("scripted", 60 * 24)
    goes(redis_client, "grok-1")
    seen("grok-1", 25)
    assert (new_chat(cast), rule(cast)[1]) == ("grok-1", "none_seen")
    assert models(cast)[0] == "grok-1"


async def test_the_page_shows_that_the_model_of_new_chats_is_not_running(
    tabs: Any, broker: Any, cast: Any, site: Any, redis_client: redis.Redis
) -> None:
    tab = await tabs("alice")
    assert (tab.first["model"]["slug"], tab.first["model"]["running"]) == ("scripted", False)
    await sync_to_async(announce)(redis_client, "grok-1")
    tab = await tabs("alice")
    assert (tab.first["model"]["slug"], tab.first["model"]["running"]) == ("grok-1", True)
    await tab.say(type="send", client_id="first", content="hello", start={"temporary": True})
    ack = await tab.until("ack")
    assert (ack["conversation"]["model"], ack["conversation"]["temporary"]) == ("grok-1", True)


async def test_a_tab_hears_when_a_model_begins_and_ceases_to_answer(
    tabs: Any, cast: Any, site: Any, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_monitor, "CHECK_SECONDS", 0.05)
    await sync_to_async(announce)(redis_client, "grok-1", runs=False)
    tab = await tabs("alice")
    tab.hears_models = True
    while socket_monitor.socket_monitor()._models is None:  # it compares with what it read first
        await asyncio.sleep(0.01)

    async def problem() -> tuple[bool, str]:
        assert await tab.next() == {"type": "models"}
        answer = await sync_to_async(cast.client("alice").get)("/api/models/")
        [found] = [each for each in answer.json()["models"] if each["slug"] == "grok-1"]
        return found["running"], found["problem"]

    beat: dict[str, Any] = {"slots": 1, "busy": 0, "back_end": "", "fingerprint": "", "metrics": {}}
    queue.beat(redis_client, "grok-1", "grok-1@gpu", **beat)
    assert await problem() == (True, "")
    queue.beat(redis_client, "grok-1", "grok-1@gpu", problem="server_unavailable", **beat)
    assert await problem() == (True, "server_unavailable")
    queue.beat(redis_client, "grok-1", "grok-1@gpu", **{**beat, "busy": 1})
    assert await problem() == (True, "")
    queue.leave(redis_client, "grok-1", "grok-1@gpu")
    assert await problem() == (False, "")
    assert await tab.socket.receive_nothing(timeout=0.5)


def test_last_seen_of_a_model_is_written_once_a_minute(
    cast: Any, site: Any, redis_client: redis.Redis
) -> None:
    announce(redis_client, "grok-1")
    first = ModelCard.objects.get(slug="grok-1")
    announce(redis_client, "grok-1")
    assert ModelCard.objects.get(slug="grok-1").last_seen_at == first.last_seen_at
    seen("grok-1", 2)
    announce(redis_client, "grok-1")
    again = ModelCard.objects.get(slug="grok-1")
    assert again.last_seen_at > timezone.now() - timedelta(minutes=1)
    assert again.seen_since == first.seen_since
    seen("grok-1", 11)
    announce(redis_client, "grok-1")
    assert ModelCard.objects.get(slug="grok-1").seen_since > first.seen_since


# --- The staff's page -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"is_default": "on", "is_hidden": "on"}, "cannot be the default"),
        ({"is_default": "on", "is_retired": "on"}, "cannot be the default"),
        ({"successor": "grok-1"}, "cannot be its own successor"),
    ],
)
def test_choices_that_make_no_sense_are_refused(
    cast: Any, site: Any, redis_client: redis.Redis, fields: dict[str, str], words: str
) -> None:
    announce(redis_client, "grok-1")
    assert words in change(cast, "grok-1", **fields).content.decode()
    assert not ModelCard.objects.get(slug="grok-1").is_default


@pytest.mark.parametrize("field", ["is_hidden", "is_retired"])
def test_the_last_model_cannot_be_hidden_or_retired(
    cast: Any, site: Any, redis_client: redis.Redis, field: str
) -> None:
    announce(redis_client, "grok-1")
    change(cast, "scripted", **{field: "on"})
    assert (
        "the only model that everybody can choose" in change(cast, "grok-1", **{field: "on"}).content.decode()
    )
    assert models(cast) == ["grok-1"]


@pytest.mark.parametrize(("who", "status"), [("moderator", 403), ("alice", 302), ("anonymous", 302)])
def test_only_staff_with_the_right_choose_the_models_of_the_site(
    cast: Any, site: Any, who: str, status: int
) -> None:
    answer = cast.client(who).post(f"{ADMIN}/scripted/change/", {"is_default": "on"})
    assert answer.status_code == status
    assert not ModelCard.objects.get(slug="scripted").is_default


def test_staff_cannot_change_what_workers_announce(cast: Any, site: Any) -> None:
    change(cast, "scripted", name="Mine", slug="mine", context_tokens="5", is_default="on")
    card = ModelCard.objects.get()
    assert (card.slug, card.name, card.context_tokens, card.is_default) == (
        "scripted",
        "Scripted",
        1024,
        True,
    )
    assert cast.client("staff").get(f"{ADMIN}/add/").status_code == 403
    assert cast.client("staff").post(f"{ADMIN}/scripted/delete/", {"post": "yes"}).status_code == 403
