"""How the cache reaches Redis, and what it writes there."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry


class JSONSerializer:
    """For `CACHES[…]["OPTIONS"]["serializer"]`. Pickle, Django's own way, would run what somebody put there.

    Whole numbers stay bare, so that Redis can count.
    """

    def dumps(self, value: Any) -> int | bytes:
        return value if type(value) is int else json.dumps(value, ensure_ascii=False).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


CONNECTIONS, WAIT_SECONDS = 64, 5


class ProcessPool(redis.BlockingConnectionPool):
    """For `CACHES[…]["OPTIONS"]["pool_class"]`: the connections of the whole process. When all are lent, one
    is waited for; the other pool of redis-py would refuse the hundred and first.

    Django makes a cache with a pool of its own for every asyncio task, thus for every request and frame: each
    would connect anew, which costs more than what is asked.
    """

    @classmethod
    @cache
    def from_url(cls, url: str, **options: Any) -> redis.ConnectionPool:  # type: ignore[override]
        return super().from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=WAIT_SECONDS,
            # A restart of Redis closes connections that lie here: once more, on a new one.
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
            # With them redis-py 8 hands out connections that a restart of Redis has closed.
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            **options,
        )
