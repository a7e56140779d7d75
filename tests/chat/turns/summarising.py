"""Holds long talks, and asks for summaries of them."""

from __future__ import annotations

import json
from typing import Any

from asgiref.sync import async_to_sync

from chat.conversations.models import Message
from chat.turns.models import Summary
from chat.turns.prompts import prompt_of
from tests.chat.conversations.building import talk
from tests.chat.turns.exchange import eventually, saved, send

LONG = "w " * 600  # 600 words for the scripted engine, 404 tokens by estimate
SAYS = "summary:They spoke of w."


def texts(message: Message) -> list[str]:
    return [each["content"] for each in prompt_of(message)]


def change(cast: Any, message: Message, method: str, who: str = "alice", **data: Any) -> Any:
    """Asks for a change of the summary that ends with a message; returns it, or the status of the refusal."""
    client = getattr(cast.client(who), method)
    answer = client(f"/api/messages/{message.pk}/summary/", json.dumps(data), content_type="application/json")
    return answer.json()["message"]["summary"] if answer.status_code == 200 else answer.status_code


def long_talk(cast: Any) -> list[Message]:
    """Returns the messages of three long turns; a fourth one fills 80 % of the context."""
    first = f"{SAYS}\n{LONG}"
    conversation = talk(cast.alice, first, LONG, LONG, LONG, LONG, LONG, title="Long")
    end = conversation.leaves.get().message
    path = [end]
    while path[0].parent is not None:
        path.insert(0, path[0].parent)
    return path


async def ask_in(tab: Any, after: Message, text: str = "hello") -> dict[str, Any]:
    """Asks a question and waits until its answer is saved; returns the ack. Frames stay to be read."""
    await tab.say(**send(text, str(after.conversation_id), str(after.pk)))
    ack: dict[str, Any] = await tab.until("ack")
    await saved(ack)
    return ack


def written(cast: Any, broker: Any, *, start: bool = True) -> tuple[Message, Message, Summary]:
    """Returns an answer, the message below it, and its summary, which waits or was written."""
    conversation = talk(cast.alice, f"one\n{SAYS}", "two", "three", "four")
    three = Message.objects.get(text="three")
    assert three.parent is not None
    assert change(cast, three.parent, "post")["status"] == "waiting"
    if start:
        broker.start_worker()
        broker.ticket("scripted")
        async_to_sync(eventually)(lambda: Summary.objects.filter(status="ready").first())
    return three.parent, three, Summary.objects.get(conversation=conversation)
