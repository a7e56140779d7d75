"""Which model a new chat gets: the staff's choice, else the configured one, else one that runs.

And what hidden and retired models answer.
"""

from __future__ import annotations

import asyncio
import platform
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from chat.conversations.models import Conversation, Message
from chat.core.models import StaffAction
from chat.model_cards.models import ModelCard
from chat.turns import socket_monitor, tasks
from chat.turns.models import Generation
from inference.base.model_list import state
from inference.wire import queue, scripts
from tests.chat.conversations.building import talk

pytestmark = [pytest.mark.django_db(transaction=True)]

ADMIN = "/admin/model_cards/modelcard"


@pytest.fixture
def site(model_card: ModelCard, settings: Any) -> Any:
    """No model is the staff's choice, and `scripted` is the configured one that nobody has seen."""
    ModelCard.objects.update(is_default=False)
    settings.MODEL_SLUG, settings.MODEL_WORKER_SINCE = "scripted", 0
    return settings


def announce(client: redis.Redis, slug: str, *, runs: bool = True, is_demo: int = 0, host: str = "") -> None:
    """Announces a model as a worker elsewhere does, and runs reconcile."""
    queue.announce_model(client, slug, host=host, name=slug.title(), context=1024, is_demo=is_demo, about="")
    if runs:
        queue.beat(client, slug, f"{slug}@gpu", slots=1, busy=0, back_end="", fingerprint="", metrics={})
    tasks.reconcile()


def goes(client: redis.Redis, slug: str) -> None:
    queue.leave(client, slug, f"{slug}@gpu")
    tasks.reconcile()


def seen(slug: str, minutes: float) -> None:
    ModelCard.objects.filter(slug=slug).update(last_seen_at=timezone.now() - timedelta(minutes=minutes))


def new_chat(cast: Any, who: str = "alice") -> str:
    answer = cast.client(who).post("/api/conversations/", {}, content_type="application/json")
    assert answer.status_code == 201, answer.content
    return str(answer.json()["conversation"]["model"])


def rule(cast: Any) -> tuple[str, str]:
    """Returns the model and the rule that chose it, as the engine page shows them."""
    page = cast.client("staff").get("/admin/engine/").content.decode()
    line = page.partition('data-new-chats="')[2]
    return line.partition('"')[0], line.partition('data-rule="')[2].partition('"')[0]


def change(cast: Any, which: str, **fields: str) -> Any:
    return cast.client("staff").post(
        f"{ADMIN}/{which}/change/", {"successor": "", "price": "1", **fields}, follow=True
    )


def models(cast: Any, who: str = "alice") -> list[str]:
    return [each["slug"] for each in cast.client(who).get("/api/models/").json()["models"]]


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


# --- Withdrawn --------------------------------------------------------------------------------------------


def test_a_model_that_nobody_runs_leaves_the_menus_with_its_announcement(
    cast: Any, site: Any, redis_client: redis.Redis
) -> None:
    announce(redis_client, "grok-1")
    announce(redis_client, "tiny")
    assert 86_400 < redis_client.ttl(scripts.key("model", "tiny")) <= queue.ANNOUNCED_SECONDS
    goes(redis_client, "tiny")
    begun = talk(cast.alice, "Soup?", "Yes.")
    begun.model_id = "tiny"
    begun.save()
    seen("tiny", 47 * 60)
    redis_client.delete(scripts.key("model", "tiny"))  # as when it expires
    tasks.reconcile()
    assert models(cast) == ["grok-1", "scripted", "tiny"]
    seen("tiny", 49 * 60)
    tasks.reconcile()
    assert models(cast) == models(cast, "staff") == ["grok-1", "scripted"]
    assert redis_client.smembers(scripts.key("models")) == {"grok-1"}
    detail = cast.client("alice").get(f"/api/conversations/{begun.pk}/").json()
    assert (detail["model"]["slug"], detail["model"]["retired"]) == ("tiny", False)
    announce(redis_client, "tiny")
    assert models(cast) == ["grok-1", "scripted", "tiny"]


def test_the_configured_model_and_the_staffs_default_are_never_withdrawn(
    cast: Any, site: Any, redis_client: redis.Redis, tmp_path: Path
) -> None:
    announce(redis_client, "grok-1")
    announce(redis_client, "tiny")
    change(cast, "tiny", is_default="on")
    site.RUN_DIR = tmp_path
    started = state.WorkerState(state.Step.STARTED)
    state.publish(tmp_path, state.ServiceState("scripted", {"scripted": started, "grok-1": started}))
    for slug in ("tiny", "grok-1", "scripted"):
        goes(redis_client, slug)
        seen(slug, 100 * 60)
        redis_client.delete(scripts.key("model", slug))
    tasks.reconcile()
    assert models(cast) == ["tiny", "grok-1", "scripted"]


def test_a_model_that_was_removed_here_leaves_the_menus_when_its_worker_has_gone(
    cast: Any, site: Any, redis_client: redis.Redis, tmp_path: Path
) -> None:
    announce(redis_client, "scripted")
    announce(redis_client, "elsewhere", host="another-host")
    announce(redis_client, "tiny", host=platform.node())
    site.RUN_DIR = tmp_path
    started = state.WorkerState(state.Step.STARTED)
    state.publish(tmp_path, state.ServiceState("scripted", {"scripted": started}))  # `models remove tiny`
    tasks.reconcile()
    assert models(cast) == ["scripted", "elsewhere", "tiny"]
    goes(redis_client, "elsewhere")
    goes(redis_client, "tiny")
    assert models(cast) == ["scripted", "elsewhere"]
    assert 'data-model="tiny"' not in cast.client("staff").get("/admin/engine/").content.decode()
    announce(redis_client, "tiny", host=platform.node())  # `models add` again
    assert models(cast) == ["scripted", "elsewhere", "tiny"]


# --- Hidden -----------------------------------------------------------------------------------------------


def test_a_hidden_model_is_in_no_menu_and_still_answers_in_its_chats(
    cast: Any, site: Any, redis_client: redis.Redis
) -> None:
    announce(redis_client, "grok-1")
    begun = talk(cast.alice, "Soup?", "Yes.")
    other = talk(cast.alice, "Fish?", "No.")
    other.model_id = "scripted"
    other.save()
    assert change(cast, "grok-1", is_hidden="on").status_code == 200
    assert models(cast) == ["scripted"]
    assert models(cast, "staff") == ["scripted", "grok-1"]
    assert new_chat(cast) == "scripted"
    client = cast.client("alice")
    detail = client.get(f"/api/conversations/{begun.pk}/").json()
    assert (detail["conversation"]["model"], detail["model"]["name"]) == ("grok-1", "Grok-1")
    assert detail["model"]["retired"] is False
    path = f"/api/conversations/{other.pk}/"
    chosen = client.patch(path, {"model": "grok-1"}, content_type="application/json")
    unknown = client.patch(path, {"model": "none"}, content_type="application/json")
    assert chosen.status_code == unknown.status_code == 400
    assert chosen.json() == unknown.json()


async def test_questions_to_a_hidden_model_are_answered_where_a_chat_has_it(
    tabs: Any, broker: Any, cast: Any, site: Any, redis_client: redis.Redis
) -> None:
    @sync_to_async
    def begin() -> Conversation:
        announce(redis_client, "grok-1")
        begun = talk(cast.alice, "Soup?", "Yes.")
        change(cast, "grok-1", is_hidden="on")
        return begun

    begun = await begin()
    last = await begun.messages.aget(role="assistant")
    tab = await tabs("alice")
    await tab.say(
        type="send", client_id="a", content="More?", conversation=str(begun.pk), parent=str(last.pk)
    )
    ack = await tab.until("ack")
    assert ack["messages"][-1]["generation"]["model"] == "grok-1"
    await tab.say(type="send", client_id="b", content="New", start={"model": "grok-1"})
    assert (await tab.until_error())["code"] == "bad_input"
    staff = await tabs("staff")
    await staff.say(type="send", client_id="c", content="Try it", start={"model": "grok-1"})
    assert (await staff.until("ack"))["conversation"]["model"] == "grok-1"


# --- Retired ----------------------------------------------------------------------------------------------


@pytest.fixture
def retired(cast: Any, site: Any, redis_client: redis.Redis) -> Conversation:
    """alice's chat with a model that staff retired after it; `aurora` comes after it."""
    announce(redis_client, "grok-1")
    begun = talk(cast.alice, "Soup?", "Yes.")
    announce(redis_client, "aurora")
    assert change(cast, "grok-1", is_retired="on", successor="aurora").status_code == 200
    return begun


def test_a_retired_model_leaves_the_menu_and_its_chats_say_which_can_continue(
    cast: Any, retired: Conversation
) -> None:
    assert models(cast) == models(cast, "staff") == ["aurora", "scripted"]
    detail = cast.client("alice").get(f"/api/conversations/{retired.pk}/").json()
    assert (detail["model"]["retired"], detail["model"]["successor"]["slug"]) == (True, "aurora")
    page = cast.client("alice").get(f"/c/{retired.pk}/").content.decode()
    assert '"retired": true' in page
    told = StaffAction.objects.get(verb="change", target="modelcard:grok-1").detail
    assert (told["is_retired"], told["successor_id"]) == (True, "aurora")


def test_without_a_successor_the_model_of_new_chats_can_continue(
    cast: Any, retired: Conversation, redis_client: redis.Redis
) -> None:
    path = f"/api/conversations/{retired.pk}/"
    change(cast, "aurora", is_retired="on", successor="scripted")  # the chain is followed
    assert cast.client("alice").get(path).json()["model"]["successor"]["slug"] == "scripted"
    announce(redis_client, "zephyr")
    change(cast, "aurora", is_retired="on")
    assert cast.client("alice").get(path).json()["model"]["successor"]["slug"] == "zephyr"


async def test_a_retired_model_cannot_be_asked_until_the_person_chooses_another(
    tabs: Any, broker: Any, cast: Any, retired: Conversation
) -> None:
    answer = await retired.messages.aget(role="assistant")
    chat, last = str(retired.pk), str(answer.pk)
    before = await Message.objects.acount()
    tab = await tabs("alice")
    asks: list[dict[str, Any]] = [
        {"type": "send", "content": "More?", "conversation": chat, "parent": last},
        {"type": "send", "content": "More?", "start": {"model": "grok-1"}},
        {"type": "regenerate", "message_id": last},
        {"type": "regenerate", "message_id": last, "params": {"model": "grok-1"}},
        {"type": "continue", "message_id": last},
    ]
    for number, frame in enumerate(asks):
        await tab.say(client_id=f"ask {number}", **frame)
        error = await tab.until_error()
        assert (error["code"], error["model"]) == ("model_retired", "grok-1"), frame
        assert error["successor"]["slug"] == "aurora"
        assert "Aurora can continue" in error["words"]
    assert await Message.objects.acount() == before

    def choose(model: str) -> Any:
        path = f"/api/conversations/{chat}/"
        return cast.client("alice").patch(path, {"model": model}, content_type="application/json")

    assert (await sync_to_async(choose)("aurora")).json()["model"]["slug"] == "aurora"
    back = await sync_to_async(choose)("grok-1")
    assert (back.status_code, back.json()["error"]["code"]) == (409, "model_retired")
    await tab.say(**asks[0], client_id="again")
    ack = await tab.until("ack")
    assert ack["messages"][-1]["generation"]["model"] == "aurora"


async def test_a_reply_that_waits_when_its_model_is_retired_is_still_answered(
    tabs: Any, broker: Any, cast: Any, site: Any
) -> None:
    @sync_to_async
    def prepare() -> None:
        ModelCard.objects.create(slug="other", name="Other")

    await prepare()
    tab = await tabs("alice")
    await tab.say(type="send", client_id="a", content="hello", start={"model": "scripted"})
    ack = await tab.until("ack")
    await sync_to_async(change)(cast, "scripted", is_retired="on")
    assert await ModelCard.objects.filter(slug="scripted", is_retired=True).aexists()
    broker.start_worker()
    broker.ticket("scripted")
    text, done = await tab.reply()
    assert (text, done["status"]) == ("hello", "complete")
    assert await Generation.objects.filter(pk=ack["generation_id"]).aexists()


def test_imports_never_begin_with_a_model_that_cannot_be_chosen(cast: Any, retired: Conversation) -> None:
    client = cast.client("alice")
    exported = client.get(f"/api/conversations/{retired.pk}/export/", {"format": "json"})
    assert exported.status_code == 200
    Conversation.objects.filter(pk=retired.pk).delete()
    content = exported.getvalue()
    answer = client.post("/api/import/", {"file": SimpleUploadedFile("a.json", content)})
    assert answer.status_code == 200, answer.content
    assert Conversation.objects.get().model_id == "aurora"


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


def test_announcements_of_older_workers_end_too(redis_client: redis.Redis) -> None:
    key = scripts.key("model", "grok-0")
    redis_client.hset(key, mapping={"name": "Grok-0"})
    redis_client.sadd(scripts.key("models"), "grok-0")
    assert "grok-0" in queue.announced_models(redis_client)
    assert 0 < redis_client.ttl(key) <= queue.ANNOUNCED_SECONDS
