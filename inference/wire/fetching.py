"""Announces in Redis how far the fetch of a model is; pages and the terminal of `up` show it.

The worker that fetches writes it every few seconds, and it expires soon after: a killed one leaves nothing.
What it says is for `inference.hub.progress` to write and read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import redis

from inference.wire import scripts

ALIVE_SECONDS = 15  # without news after that, nobody fetches
FAILED_SECONDS = 24 * 3600  # staff can still read why a fetch failed


def announce_fetch(
    client: redis.Redis, slug: str, fields: Mapping[str, str], *, seconds: int, host: str = ""
) -> None:
    """Announces a fetch of a worker on `host` for some seconds."""
    said: Any = {**fields, "host": host}
    with client.pipeline() as pipe:
        pipe.hset(scripts.key("fetch", slug), mapping=said)
        pipe.expire(scripts.key("fetch", slug), seconds)
        pipe.sadd(scripts.key("fetches"), slug)
        pipe.execute()


def withdraw_fetch(client: redis.Redis, slug: str) -> None:
    client.delete(scripts.key("fetch", slug))
    client.srem(scripts.key("fetches"), slug)


def fetch_of(client: redis.Redis, slug: str) -> dict[str, str]:
    """Returns what was announced of a model's fetch; {} if nobody fetches it."""
    said: Any = client.hgetall(scripts.key("fetch", slug))
    return dict(said)


def fetches(client: redis.Redis) -> dict[str, dict[str, str]]:
    """Returns all announced fetches by slug, and forgets the names of expired ones."""
    found = {}
    slugs: Any = client.smembers(scripts.key("fetches"))
    for slug in sorted(slugs):
        said = fetch_of(client, slug)
        if said:
            found[slug] = said
        else:
            client.srem(scripts.key("fetches"), slug)
    return found
