"""Connects Django's cache to Redis and serialises its values as JSON."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry


class JSONSerializer:
    """Serialises for `CACHES`. Pickle, Django's default, would execute what somebody put into Redis.

    Integers are stored as they are, so that Redis can count.
    """

    def dumps(self, value: Any) -> int | bytes:
        return value if type(value) is int else json.dumps(value, ensure_ascii=False).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


CONNECTIONS, WAIT_SECONDS = 64, 5


class ProcessPool(redis.BlockingConnectionPool):
    """Holds the cache's connections of the whole process (`pool_class` in `CACHES`).

    When all are in use, callers wait for one; redis-py's other pool would refuse the hundred and first.

    Django creates a cache with a pool of its own for every asyncio task, so for every request and frame: each
    would connect again, which costs more than the query.
    """

    @classmethod
    @cache
    def from_url(cls, url: str, **options: Any) -> redis.ConnectionPool:  # type: ignore[override]
        return super().from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=WAIT_SECONDS,
            # A restart of Redis has closed pooled connections: try once more on a new one.
            retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
            # With them redis-py 8 hands out connections that a restart of Redis has closed.
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            **options,
        )
