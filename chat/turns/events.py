"""Control events to a person's open tabs, through the channel layer. They may be lost there, so they are
counted: a page that missed one asks for what is new. Tokens never pass here (rule 4)."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync, sync_to_async
from channels.layers import get_channel_layer
from redis.exceptions import RedisError

from chat.turns import news

logger = logging.getLogger("grokweb.events")


def group(user_id: UUID) -> str:
    return f"user.{user_id.hex}"


async def tell(user_id: UUID, *frames: dict[str, Any], but: str = "") -> None:
    """Frames for every tab of a person, except the channel `but`; one event, however many frames."""
    number = await sync_to_async(news.count, thread_sensitive=False)(user_id)
    await _send(user_id, {"type": "tab.frames", "frames": frames, "but": but, "number": number})


async def close(user_id: UUID, code: int) -> None:
    await _send(user_id, {"type": "tab.close", "code": code})


def look_sync(user_id: UUID) -> None:
    """Some session of this person ended: each socket looks whether it was its own."""
    async_to_sync(_send)(user_id, {"type": "tab.look"})


def tell_sync(user_id: UUID, frame: dict[str, Any]) -> None:
    async_to_sync(tell)(user_id, frame)


def close_sync(user_id: UUID, code: int) -> None:
    async_to_sync(close)(user_id, code)


async def _send(user_id: UUID, event: dict[str, Any]) -> None:
    try:
        await get_channel_layer().group_send(group(user_id), event)
    except (RedisError, OSError) as error:
        logger.warning("a control event was lost: %s", error)
