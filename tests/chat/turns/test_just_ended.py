"""A page has the end of a reply a moment before the row has; who acts in that moment need not wait."""

from __future__ import annotations

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client

from chat.conversations.models import Conversation, Message, MessageStatus
from tests.chat.turns.exchange import send

pytestmark = [pytest.mark.django_db(transaction=True)]

WORDS = "w1 w2 w3"


@pytest.fixture
async def ended(tabs: Any, broker: Any) -> Message:
    """Alice's page has the whole reply; the task that settles it has not run yet."""
    broker.may_finish.clear()
    broker.start_worker()
    tab = await tabs("alice")
    await tab.say(**send("slow:3:1"))
    ack = await tab.until("ack")
    await tab.reply()
    message = await Message.objects.select_related("conversation").aget(pk=ack["message_id"])
    assert message.status == MessageStatus.LIVE
    return message


async def ask(client: Client, method: str, address: str, **body: Any) -> Any:
    call = sync_to_async(getattr(client, method))
    if method == "get":
        return await call(address)
    return await call(address, json.dumps(body), content_type="application/json")


def chat_of(message: Message, rest: str) -> str:
    return f"/api/conversations/{message.conversation_id}/{rest}"


async def test_it_can_be_shared(cast: Any, ended: Message) -> None:
    answer = await ask(cast.client("alice"), "post", chat_of(ended, "share/"))
    assert answer.status_code == 201
    page = await ask(cast.client("anonymous"), "get", answer.json()["share"]["url"])
    assert WORDS in page.content.decode()


async def test_it_can_get_feedback(cast: Any, ended: Message) -> None:
    answer = await ask(cast.client("alice"), "post", f"/api/messages/{ended.pk}/feedback/", value=1)
    assert answer.status_code == 200


async def test_its_details_have_its_tokens(cast: Any, ended: Message) -> None:
    answer = await ask(cast.client("alice"), "get", f"/api/messages/{ended.pk}/details/")
    assert answer.json()["details"]["completion_tokens"] == 3


async def test_it_can_be_reported(cast: Any, ended: Message) -> None:
    body = {"message_id": str(ended.pk), "reason": "other", "note": ""}
    answer = await ask(cast.client("alice"), "post", "/api/reports/", **body)
    assert answer.status_code == 201


async def test_it_can_be_deleted(cast: Any, ended: Message) -> None:
    answer = await ask(cast.client("alice"), "delete", f"/api/messages/{ended.pk}/")
    assert answer.status_code == 204
    assert not await Message.objects.filter(pk=ended.pk).aexists()


@pytest.mark.parametrize("form", ["json", "markdown"])
async def test_it_is_exported(cast: Any, ended: Message, form: str) -> None:
    answer = await ask(cast.client("alice"), "get", chat_of(ended, f"export/?format={form}"))
    text = answer.getvalue()
    assert WORDS in text.decode()


async def test_it_is_in_the_print_view(cast: Any, ended: Message) -> None:
    address = (await Conversation.objects.aget(pk=ended.conversation_id)).get_absolute_url()
    answer = await ask(cast.client("alice"), "get", f"{address}print/")
    assert WORDS in answer.content.decode()
