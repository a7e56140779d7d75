"""The connection of a thread to Redis, and the errors of a Redis that is away."""

from __future__ import annotations

import threading

import redis
from django.conf import settings
from kombu.exceptions import OperationalError

from inference.wire import scripts

UNAVAILABLE = (redis.RedisError, OperationalError)
_local = threading.local()


def client() -> redis.Redis:
    """Returns this thread's connection to Redis."""
    if not hasattr(_local, "client"):
        _local.client = scripts.connect(settings.REDIS_URL)
    made: redis.Redis = _local.client
    return made
