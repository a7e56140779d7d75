"""Hidden models are offered to nobody, retired ones answer nothing new; chats that have them go on."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile

from chat.conversations.models import Conversation, Message
from chat.core.models import StaffAction
from chat.model_cards.models import ModelCard
from chat.turns.models import Generation
from tests.chat.conversations.building import talk
from tests.chat.turns.announcing import announce, change, models, new_chat

pytestmark = [pytest.mark.django_db(transaction=True)]


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
