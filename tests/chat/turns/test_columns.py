"""Two models answer one question side by side: stored together or not at all, then each on its own."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import override_settings

from chat.conversations.branches import current_leaf
from chat.conversations.models import Conversation, Message
from chat.model_cards.models import ModelCard
from chat.quotas.models import QuotaPolicy, UsageCounter, UsageEntry
from chat.turns.models import Generation
from tests.chat.cast import Cast
from tests.chat.turns.exchange import asked, saved, send

pytestmark = pytest.mark.django_db(transaction=True)


async def both(tab: Any, text: str = "hello", also: str = "scripted", **more: Any) -> dict[str, Any]:
    """Asks two models and returns the ack."""
    await tab.say(**send(text, also=also, **more))
    ack: dict[str, Any] = await tab.until("ack")
    return ack


async def replies(tab: Any, count: int = 2) -> dict[str, tuple[str, dict[str, Any]]]:
    """Returns the texts and the `done` of so many replies, by message."""
    texts: dict[str, str] = {}
    ended: dict[str, dict[str, Any]] = {}
    while len(ended) < count:
        frame = await tab.next()
        assert frame["type"] != "error", frame
        if frame["type"] == "token":
            texts[frame["message_id"]] = texts.get(frame["message_id"], "") + frame["text"]
        elif frame["type"] == "done":
            ended[frame["message_id"]] = frame
    return {pk: (texts.get(pk, ""), done) for pk, done in ended.items()}


def sleeper(**fields: Any) -> ModelCard:
    return ModelCard.objects.create(slug="sleeper", name="Sleeper", context_tokens=1024, **fields)


def page(cast: Cast, conversation: str) -> Any:
    return cast.client("alice").get(f"/api/conversations/{conversation}/messages/").json()


async def test_both_answers_stream_and_stand_beside_each_other(cast: Cast, tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab, other = await tabs("alice"), await tabs("alice")
    ack = await both(tab)
    question, first, second = ack["messages"]
    assert [each["column"] for each in (first, second)] == [1, 2]
    assert {first["parent"], second["parent"]} == {question["id"]}
    assert first["siblings"] == second["siblings"] == [first["id"], second["id"]]
    assert ack["message_id"] == first["id"]
    ended = await replies(tab)
    assert {pk: text for pk, (text, _) in ended.items()} == {first["id"]: "hello", second["id"]: "hello"}
    heard = [(await other.until("message"))["message"]["id"] for _ in range(3)]
    assert heard == [question["id"], first["id"], second["id"]]
    for answer in (first, second):
        await saved({"message_id": answer["id"]})
    shown = await sync_to_async(page)(cast, ack["conversation"]["id"])
    assert [each["id"] for each in shown["messages"]] == [question["id"], first["id"]]
    assert shown["beside"]["id"] == second["id"]
    assert await UsageEntry.objects.filter(settled_at__isnull=False).acount() == 2


async def test_a_repeated_send_finds_the_same_pair(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack = await both(tab, client_id="c" * 64)
    await replies(tab)
    again = await both(tab, client_id="c" * 64)
    assert [each["id"] for each in again["messages"]] == [each["id"] for each in ack["messages"]]
    assert len(await replies(tab)) == 2  # sent once more from their rows
    assert await Generation.objects.acount() == 2


@pytest.mark.parametrize("case", ["unknown", "retired", "limited", "quota", "queue", "not text"])
async def test_both_are_stored_or_neither(cast: Cast, tabs: Any, broker: Any, case: str) -> None:
    also: Any = "sleeper"
    code = "bad_input"
    if case == "retired":
        await sync_to_async(sleeper)(is_retired=True)
        code = "model_retired"
    elif case == "limited":
        await sync_to_async(sleeper)(is_limited=True)
    elif case == "quota":
        also, code = "scripted", "quota_exceeded"
        await QuotaPolicy.objects.acreate(user=cast.alice, tokens_per_day=50)
    elif case == "queue":
        also, code = "scripted", "queue_full"
    elif case == "not text":
        also, code = 7, "bad_frame"
    tab = await tabs("alice")
    with override_settings(USER_LIVE_LIMIT=1 if case == "queue" else 8):
        more: Any = {"start": {"settings": {"max_tokens": 40}}} if case == "quota" else {}
        await tab.say(**send("hello", also=also, **more))
        assert (await tab.until_error())["code"] == code
    for table in (Conversation, Message, Generation, UsageEntry):
        assert await table._default_manager.acount() == 0
    assert not await UsageCounter.objects.filter(reserved__gt=0).aexists()


async def test_the_stop_of_one_leaves_the_other(tabs: Any, broker: Any) -> None:
    broker.start_worker()
    await sync_to_async(sleeper)()
    tab = await tabs("alice")
    ack = await both(tab, "slow:6:20", also="sleeper")
    _, first, second = ack["messages"]
    await tab.say(type="stop", message_id=second["id"])
    ended = await replies(tab)
    assert ended[second["id"]][1]["status"] == "stopped"
    assert ended[first["id"]][1]["status"] == "complete"
    assert ended[first["id"]][0] == "w1 w2 w3 w4 w5 w6"


async def test_one_is_continued_alone_in_its_column(cast: Cast, tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack = await both(tab, "slow:500:20")
    _, first, second = ack["messages"]
    await tab.until("token")
    for each in (first, second):
        await tab.say(type="stop", message_id=each["id"])
    await replies(tab)
    for each in (first, second):
        await saved({"message_id": each["id"]}, "stopped")
    await Message.objects.filter(pk=second["id"]).aupdate(text="w1 ")
    await Message.objects.filter(pk=second["parent"]).aupdate(text="slow:3:20")
    await tab.say(type="continue", message_id=second["id"], client_id="on")
    more = await tab.until("ack")
    assert more["messages"][0]["column"] == 2
    await tab.reply()
    shown = await sync_to_async(page)(cast, ack["conversation"]["id"])
    assert (shown["messages"][-1]["id"], shown["beside"]["id"]) == (more["message_id"], first["id"])


async def test_the_next_question_follows_the_chosen_answer_alone(cast: Cast, tabs: Any, broker: Any) -> None:
    broker.start_worker()
    tab = await tabs("alice")
    ack = await both(tab)
    question, first, second = ack["messages"]
    await replies(tab)
    await saved({"message_id": second["id"]})
    pk = ack["conversation"]["id"]
    client = await sync_to_async(cast.client)("alice")
    choose = sync_to_async(client.put)
    chosen = await choose(
        f"/api/conversations/{pk}/leaf/", {"message": second["id"]}, content_type="application/json"
    )
    assert (chosen.json()["messages"][-1]["id"], chosen.json()["beside"]["id"]) == (second["id"], first["id"])
    await asked(tab, "next", conversation=pk, parent=second["id"])
    shown = await sync_to_async(page)(cast, pk)
    assert [each["id"] for each in shown["messages"]][:2] == [question["id"], second["id"]]
    assert "beside" not in shown
    leaf = await sync_to_async(current_leaf)(cast.alice, await Conversation.objects.aget(pk=pk))
    assert leaf is not None
    await tab.say(type="regenerate", message_id=second["id"], client_id="again")
    assert "column" not in (await tab.until("ack"))["messages"][0]  # the choice was made
