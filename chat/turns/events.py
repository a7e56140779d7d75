"""Control events to a person's open tabs, through the channel layer: changes of conversations and messages.

The layer may lose them, so they are numbered (event_numbers.py): a page that missed one asks for what is new.
Tokens never pass here (rule 4).
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from chat.turns import event_numbers, frames

logger = logging.getLogger("grokweb.events")


def group(user_id: UUID) -> str:
    """Returns the channel layer's name for all tabs of a person."""
    return f"user.{user_id.hex}"


async def publish(
    user_id: UUID, *changes: frames.FrameOut, number: int | None, without_channel: str = ""
) -> None:
    """Sends frames to every tab of a person except one, as one event, numbered by event_numbers.count."""
    texts = [frames.encode(change) for change in changes]
    event = {"type": "tab.frames", "frames": texts, "without": without_channel, "number": number}
    await _send(user_id, event)


def publish_sync(user_id: UUID, *changes: frames.FrameOut) -> None:
    async_to_sync(publish)(user_id, *changes, number=event_numbers.count(user_id))


def close_sync(user_id: UUID, code: int) -> None:
    """Closes every socket of a person."""
    async_to_sync(_send)(user_id, {"type": "tab.close", "code": code})


def check_sessions_sync(user_id: UUID) -> None:
    """Some session of this person ended: each socket checks whether it was its own."""
    async_to_sync(_send)(user_id, {"type": "tab.check_session"})


async def _send(user_id: UUID, event: dict[str, Any]) -> None:
    try:
        await get_channel_layer().group_send(group(user_id), event)
    except (RedisError, OSError) as error:
        logger.warning("a control event was lost: %s", error)
