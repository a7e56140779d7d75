"""Asking a question as a tab does, and waiting for what follows: for all tests that need an exchange."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from asgiref.sync import sync_to_async

from chat.conversations.models import Message


async def eventually(question: Any, seconds: float = 60.0) -> Any:
    """Polls a database question until it is true, and returns its answer."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        answer = await sync_to_async(question)()
        if answer or asyncio.get_running_loop().time() > deadline:
            assert answer, "not in time"
            return answer
        await asyncio.sleep(0.05)


def send(
    content: str, conversation: str | None = None, parent: str | None = None, **more: Any
) -> dict[str, Any]:
    """Returns a `send` frame with a new client_id."""
    return {
        "type": "send",
        "conversation": conversation,
        "parent": parent,
        "content": content,
        "client_id": uuid.uuid4().hex,
        **more,
    }


async def saved(ack: dict[str, Any], status: str = "complete") -> Message:
    """Returns the reply of an ack once it is settled."""
    found: Message = await eventually(
        lambda: Message.objects.filter(pk=ack["message_id"], status=status).first()
    )
    return found


async def asked(tab: Any, text: str, **more: Any) -> dict[str, Any]:
    """Asks a question and waits for its answer, whole and saved; returns the ack."""
    await tab.say(**send(text, **more))
    ack: dict[str, Any] = await tab.until("ack")
    await tab.reply()
    await saved(ack)
    return ack


async def cut(tab: Any) -> tuple[dict[str, Any], Message]:
    """Asks a question and stops its answer in the middle; returns the ack and the answer.

    The question is a shorter one afterwards, so that a continuation ends after 20 words.
    """
    await tab.say(**send("slow:500:20"))
    ack = await tab.until("ack")
    await tab.until("token")
    await tab.say(type="stop", message_id=ack["message_id"])
    await tab.until("done")
    answer = await saved(ack, "stopped")
    assert answer.parent_id is not None
    script = f"slow:{len(answer.text.split()) + 20}:20"
    await Message.objects.filter(pk=answer.parent_id).aupdate(text=script)
    return ack, answer


@sync_to_async
def details(cast: Any, message_id: str, who: str = "alice", **headers: str) -> Any:
    """Returns the details of an answer, or the status of the refusal."""
    answer = cast.client(who).get(f"/api/messages/{message_id}/details/", headers=headers)
    return answer.json()["details"] if answer.status_code == 200 else answer.status_code


async def asked_twice(tab: Any) -> tuple[Message, dict[str, Any]]:
    """A question whose first answer was stopped, and the ack of the second, which is live."""
    await tab.say(**send("slow:300:100 x"))
    first = await tab.next()
    await tab.say(type="stop", message_id=first["message_id"])
    await eventually(lambda: Message.objects.filter(pk=first["message_id"], status="stopped").exists())
    await tab.say(type="regenerate", message_id=first["message_id"], client_id="again")
    question = await Message.objects.select_related("conversation__owner").aget(role="user")
    return question, await tab.until("ack")
