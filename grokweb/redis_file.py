"""Lets the embedded Redis go on in memory while its append-only file cannot be written.

Redis refuses every write (MISCONF) as soon as its file cannot take one: tokens, leases and tasks would stand
still. Nothing in it is the truth (docs/live-path.md), so the supervisor turns the file off until the disk has
room again; turning it on writes the whole of it anew. An operator's own Redis is left as it is configured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import redis

from grokweb import disks
from grokweb.redis_server import EmbeddedRedis

WATCH_SECONDS = 0.25
SPARE_BYTES = 1 << 20  # beside the data themselves, before the file is turned on again


def watch(server: EmbeddedRedis, say: Callable[[str], None]) -> None:
    """Runs for as long as the process does, in a thread of its own; Redis may die and come back meanwhile."""
    with redis.Redis.from_url(server.url, socket_timeout=5, socket_connect_timeout=2) as client:
        while True:
            try:
                tend(client, server, say)
            except redis.RedisError:
                pass  # it is starting, or gone: the supervisor sees to that
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
    disk = disks.look(server.directory)
    memory: Any = client.info("memory")
    return disk.writable and disk.free > memory["used_memory_dataset"] + SPARE_BYTES
