"""How many control events each person's tabs were told: a tab that counts fewer has missed one.

The channel layer drops events (a full channel, a new connection to Redis) and tells nobody. A page that
missed one asks for the sidebar and the messages again (docs/protocol.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings

from chat.turns import port

KEPT_SECONDS = 86_400


def key(user_id: UUID) -> str:
    return f"{settings.REDIS_PREFIX}:news:{user_id.hex}"


def count(user_id: UUID) -> int | None:
    """The number of the event that is about to be told; None without Redis."""
    try:
        pipe = port.client().pipeline(transaction=False)
        pipe.incr(key(user_id))
        pipe.expire(key(user_id), KEPT_SECONDS)
        return int(pipe.execute()[0])
    except port.UNAVAILABLE:
        return None


def forget(user_id: UUID) -> None:
    """The person is gone."""
    port.client().delete(key(user_id))


def numbers(users: Sequence[UUID]) -> dict[UUID, int]:
    """The number of the latest event of each; nobody's without Redis."""
    if not users:
        return {}
    try:
        held = port.client().mget([key(user_id) for user_id in users])
    except port.UNAVAILABLE:
        return {}
    return {user_id: int(number or 0) for user_id, number in zip(users, held, strict=True)}


def number(user_id: UUID) -> int:
    return numbers([user_id]).get(user_id, 0)
