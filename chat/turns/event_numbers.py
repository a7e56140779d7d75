"""Counts control events per person, so that a tab can detect one it missed.

The channel layer drops events (a full channel, a new connection to Redis) and reports nothing. A page that
missed one asks for the sidebar and the messages again (docs/protocol.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings

from chat.turns import redis_client

EXPIRY_SECONDS = 86_400


def key(user_id: UUID) -> str:
    return f"{settings.REDIS_PREFIX}:event_number:{user_id.hex}"


def count(user_id: UUID) -> int | None:
    """Returns the number of the event that is about to be published; None without Redis."""
    try:
        pipe = redis_client.client().pipeline(transaction=False)
        pipe.incr(key(user_id))
        pipe.expire(key(user_id), EXPIRY_SECONDS)
        return int(pipe.execute()[0])
    except redis_client.UNAVAILABLE:
        return None


def forget(user_id: UUID) -> None:
    """Deletes the count of a person whose account is deleted."""
    redis_client.client().delete(key(user_id))


def latest(users: Sequence[UUID]) -> dict[UUID, int]:
    """Returns the number of each person's latest event; {} without Redis."""
    if not users:
        return {}
    try:
        found = redis_client.client().mget([key(user_id) for user_id in users])
    except redis_client.UNAVAILABLE:
        return {}
    return {user_id: int(number or 0) for user_id, number in zip(users, found, strict=True)}


def latest_of(user_id: UUID) -> int:
    return latest([user_id]).get(user_id, 0)
