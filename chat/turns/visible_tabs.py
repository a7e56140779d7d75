"""Knows whether a person looks at a tab: what tabs told (frame `visible`), as long as they are connected.

Kept in Redis beside the open sockets (chat/core/rate_limiter.py), whose times tell which tabs are still
there.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings

from chat.core.rate_limiter import SOCKET_SECONDS, sockets_key
from chat.turns import redis_client

KEPT_SECONDS = 7 * 86_400


def _key(user_id: UUID) -> str:
    return f"{settings.REDIS_PREFIX}:visible:{user_id}"


def note(user_id: UUID, socket: str, is_visible: bool) -> None:
    """Stores what a tab told, and forgets tabs that are gone. Without Redis nothing is stored."""
    key, sockets = _key(user_id), sockets_key(str(user_id))
    try:
        pipe = redis_client.client().pipeline(transaction=True)
        if is_visible:
            pipe.zadd(key, {socket: 0})
        else:
            pipe.zrem(key, socket)
        pipe.zinterstore(key, {key: 0, sockets: 1})
        pipe.expire(key, KEPT_SECONDS)
        pipe.execute()
    except redis_client.UNAVAILABLE:
        return


def is_any(user_id: UUID) -> bool:
    """Returns whether any tab of a person is visible. Raises redis_client.UNAVAILABLE."""
    held = redis_client.client()
    seconds = int(held.time()[0])
    tabs: Any = held.zinter({_key(user_id): 0, sockets_key(str(user_id)): 1}, withscores=True)
    return any(score >= seconds - SOCKET_SECONDS for _, score in tabs)
