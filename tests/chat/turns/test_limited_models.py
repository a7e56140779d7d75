"""A model that is for groups: who may use it, at each place where a model is chosen; and its price."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import Settings

from chat.conversations.models import Conversation, Message
from chat.core.models import StaffAction
from chat.model_cards.models import ModelCard
from chat.quotas.models import UsageEntry
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk
from tests.chat.turns.exchange import eventually

pytestmark = [pytest.mark.django_db(transaction=True)]
ADMIN = "/admin/model_cards/modelcard/"


@pytest.fixture
def club(cast: Cast) -> Group:
    """Limits `private` to a group that alice belongs to."""
    group = Group.objects.create(name="club")
    cast.alice.groups.add(group)
    private = ModelCard.objects.create(slug="private", name="Private", is_limited=True, context_tokens=1024)
    private.groups.add(group)
    return group


@sync_to_async
def got(cast: Cast, path: str) -> dict[str, Any]:
    """Returns what alice gets."""
    found: dict[str, Any] = cast.client("alice").get(path).json()
    return found


def models(cast: Cast, who: str) -> list[str]:
    return [each["slug"] for each in cast.client(who).get("/api/models/").json()["models"]]


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("alice", ["scripted", "private"]),
        ("bob", ["scripted"]),
        ("stranger", ["scripted"]),
        ("staff", ["scripted", "private"]),
    ],
)
def test_only_members_and_staff_see_the_model(cast: Cast, club: Group, who: str, seen: list[str]) -> None:
    assert models(cast, who) == seen
    page = cast.client(who).get("/").content.decode()
    assert ('"slug": "private"' in page) == ("private" in seen)


def new_chat(chat: Conversation) -> dict[str, Any]:
    return {"type": "send", "content": "Hi", "start": {"model": "private"}}


def one_answer(chat: Conversation) -> dict[str, Any]:
    parent = str(chat.messages.get(role="assistant").pk)
    frame = {"type": "send", "content": "Hi", "params": {"model": "private"}}
    return {**frame, "conversation": str(chat.pk), "parent": parent}


def another_answer(chat: Conversation) -> dict[str, Any]:
    last = chat.messages.get(role="assistant")
    return {"type": "regenerate", "message_id": str(last.pk), "params": {"model": "private"}}


@pytest.mark.parametrize("frame", [new_chat, one_answer, another_answer])
@pytest.mark.parametrize(("who", "may"), [("alice", True), ("bob", False)])
async def test_only_members_choose_the_model_for_an_answer(
    tabs: Any, broker: Any, cast: Cast, club: Group, frame: Callable[..., Any], who: str, may: bool
) -> None:
    chat = await sync_to_async(talk)(getattr(cast, who), "Soup?", "Yes.")
    before = await Message.objects.acount()
    tab = await tabs(who)
    await tab.say(client_id="a", **await sync_to_async(frame)(chat))
    if may:
        assert (await tab.until("ack"))["messages"][-1]["generation"]["model"] == "private"
        return
    error = await tab.until_error()
    assert (error["code"], error["words"]) == ("bad_input", "There is no such model.")
    assert await Message.objects.acount() == before


@pytest.mark.parametrize(("who", "status"), [("alice", 200), ("bob", 400)])
def test_only_members_switch_a_chat_to_the_model(cast: Cast, club: Group, who: str, status: int) -> None:
    chat = talk(getattr(cast, who), "Soup?", "Yes.")
    client, path = cast.client(who), f"/api/conversations/{chat.pk}/"
    answer = client.patch(path, {"model": "private"}, content_type="application/json")
    unknown = client.patch(path, {"model": "unknown"}, content_type="application/json")
    assert (answer.status_code, unknown.status_code) == (status, 400)
    assert (answer.json() == unknown.json()) == (status == 400)  # it looks like one that does not exist


@pytest.mark.parametrize(("who", "model"), [("alice", "private"), ("bob", "scripted")])
def test_an_import_keeps_the_model_only_for_members(cast: Cast, club: Group, who: str, model: str) -> None:
    chat = talk(cast.alice, "Soup?", "Yes.")
    Conversation.objects.update(model="private")
    exported = cast.client("alice").get(f"/api/conversations/{chat.pk}/export/", {"format": "json"})
    content = exported.getvalue()
    Conversation.objects.all().delete()
    answer = cast.client(who).post("/api/import/", {"file": SimpleUploadedFile("a.json", content)})
    assert answer.status_code == 200, answer.content
    assert Conversation.objects.get().model_id == model


@pytest.mark.parametrize(("who", "model"), [("alice", "private"), ("bob", "scripted")])
def test_a_default_for_a_group_is_that_of_its_members(
    cast: Cast, club: Group, settings: Settings, who: str, model: str
) -> None:
    ModelCard.objects.filter(slug="scripted").update(is_default=False)
    ModelCard.objects.filter(slug="private").update(is_default=True)
    made = cast.client(who).post("/api/conversations/", {"title": "New"}, content_type="application/json")
    assert made.json()["conversation"]["model"] == model
    assert models(cast, who)[0] == model


async def test_a_chat_of_somebody_who_left_the_group_says_which_model_can_continue(
    tabs: Any, broker: Any, cast: Cast, club: Group
) -> None:
    chat = await sync_to_async(talk)(cast.alice, "Soup?", "Yes.")
    await Conversation.objects.aupdate(model="private")
    await sync_to_async(cast.alice.groups.clear)()
    detail = (await got(cast, f"/api/conversations/{chat.pk}/"))["model"]
    assert (detail["retired"], detail["limited"], detail["successor"]["slug"]) == (True, True, "scripted")

    last = str((await chat.messages.aget(role="assistant")).pk)
    tab = await tabs("alice")
    asks: list[dict[str, Any]] = [
        {"type": "send", "content": "More?", "conversation": str(chat.pk), "parent": last},
        {"type": "regenerate", "message_id": last},
        {"type": "continue", "message_id": last},
    ]
    for number, frame in enumerate(asks):
        await tab.say(client_id=f"ask {number}", **frame)
        error = await tab.until_error()
        found = (error["code"], error["limited"], error["successor"]["slug"])
        assert found == ("model_retired", True, "scripted"), frame
        assert error["words"] == "You can no longer use Private. Scripted can continue this chat."


def test_deleting_the_last_group_opens_the_model_to_nobody(cast: Cast, club: Group) -> None:
    club.delete()
    assert models(cast, "alice") == ["scripted"]
    assert models(cast, "staff") == ["scripted", "private"]


# --- The staff's page -------------------------------------------------------------------------------------


def change(cast: Cast, slug: str, **fields: Any) -> str:
    values = {"successor": "", "price": "1", **fields}
    answer = cast.client("staff").post(f"{ADMIN}{slug}/change/", values, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_staff_limit_a_model_and_the_audit_log_names_its_groups(cast: Cast, club: Group) -> None:
    ModelCard.objects.create(slug="open", name="Open")
    change(cast, "open", is_limited="on", groups=[str(club.pk)], price="2.5")
    card = ModelCard.objects.get(slug="open")
    assert (card.is_limited, list(card.groups.all()), card.price) == (True, [club], Decimal("2.50"))
    told = StaffAction.objects.get(verb="change", target="modelcard:open").detail
    assert (told["is_limited"], told["groups"], told["price"]) == (True, ["club"], "2.5")


@pytest.mark.parametrize(
    ("slug", "fields", "words"),
    [
        ("private", {"groups": "club"}, "Tick this if only these groups may use the model."),
        ("scripted", {"is_limited": "on"}, "the only model that everybody can choose"),
        ("private", {"is_limited": "on", "price": "-1"}, "greater than or equal to 0"),
        ("private", {"is_limited": "on", "price": "1001"}, "less than or equal to 1000"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(
    cast: Cast, club: Group, slug: str, fields: dict[str, Any], words: str
) -> None:
    if "groups" in fields:
        fields = {**fields, "groups": [str(club.pk)]}
    assert words in change(cast, slug, **fields)
    card = ModelCard.objects.get(slug=slug)
    assert card.is_limited == (slug == "private")
    assert card.price == 1


# --- Price ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("price", "used"), [("1", 4), ("2.5", 10), ("0", 0), ("0.3", 2)])
async def test_a_reply_is_charged_with_its_tokens_times_the_price_rounded_up(
    tabs: Any, broker: Any, cast: Cast, price: str, used: int
) -> None:
    await ModelCard.objects.aupdate(price=Decimal(price))
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(type="send", client_id="a", content="one two")
    ack = await tab.until("ack")
    await ModelCard.objects.aupdate(price=Decimal(7))  # it costs what the model cost when it was asked for
    await tab.reply()
    settled = UsageEntry.objects.exclude(settled_at=None).filter(pk=ack["generation_id"])
    entry = await eventually(settled.first)
    assert (entry.prompt_tokens, entry.completion_tokens, entry.price) == (2, 2, Decimal(price))
    usage = await got(cast, "/api/usage/")
    assert (usage["used"], usage["reserved"]) == (used, 0)
