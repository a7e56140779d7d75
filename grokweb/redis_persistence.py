"""Lets the embedded Redis continue in memory while its append-only file cannot be written.

Redis refuses every write (MISCONF) as soon as its file cannot take one: tokens, leases and tasks would stand
still. Redis holds only copies (rule 1), so that the supervisor can switch the file off until the disk has
space again; switching it on rewrites it completely. An operator's own Redis stays as it is configured.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import redis

from grokweb.redis_server import EmbeddedRedis
from inference.base import disk_space

WATCH_SECONDS = 0.25
SPARE_BYTES = 1 << 20  # free space required beyond the data, before the file is switched on again


def watch(server: EmbeddedRedis, say: Callable[[str], None]) -> None:
    """Runs in a thread of its own until the process ends; Redis may die and restart meanwhile."""
    with redis.Redis.from_url(server.url, socket_timeout=5, socket_connect_timeout=2) as client:
        while True:
            # An error: it is starting, or gone. The supervisor sees to that.
            with contextlib.suppress(redis.RedisError):
                tend(client, server, say)
            time.sleep(WATCH_SECONDS)


def tend(client: redis.Redis, server: EmbeddedRedis, say: Callable[[str], None]) -> None:
    state: Any = client.info("persistence")
    if state["aof_enabled"]:
        if state["aof_last_write_status"] != "ok":
            client.config_set("appendonly", "no")
            say("redis: its file cannot be written, so it goes on in memory until the disk has room")
    elif server.aof and has_room(client, server):
        client.config_set("appendonly", "yes")
        say("redis: its file is written again")


def has_room(client: redis.Redis, server: EmbeddedRedis) -> bool:
    disk = disk_space.disk_status(server.directory)
    memory: Any = client.info("memory")
    return disk.writable and disk.free > memory["used_memory_dataset"] + SPARE_BYTES
