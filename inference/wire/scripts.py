"""Runs the Lua scripts of the live path, each one atomic step in Redis. docs/live-path.md has the rules."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import redis
from redis.backoff import ExponentialBackoff
from redis.exceptions import NoScriptError
from redis.retry import Retry

from inference import settings

FOLDER = Path(__file__).parent / "lua"
Call = tuple[str, Sequence[str | bytes | int | float]]


@cache
def source(name: str) -> str:
    return (FOLDER / "common.lua").read_text() + (FOLDER / f"{name}.lua").read_text()


@cache
def sha(name: str) -> str:
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()


def connect(url: str = "", *, retries: int = 0) -> redis.Redis:
    """Returns a client that decodes to str. Callers retry themselves: they know what a lost answer means."""
    return redis.Redis.from_url(
        url or settings.REDIS_URL,
        decode_responses=True,
        socket_timeout=5,
        socket_connect_timeout=2,
        health_check_interval=15,
        retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), retries),
    )


def key(*parts: str) -> str:
    return ":".join((settings.REDIS_PREFIX, *parts))


def run(client: redis.Redis, name: str, *args: str | int | float) -> Any:
    return run_all(client, [(name, args)])[0]


def run_all(client: redis.Redis, calls: Sequence[Call]) -> list[Any]:
    """Runs several scripts in one pipeline; loads and sends again those a restarted server lacks (rule 9).

    Sending again is safe because every script is idempotent. Raises redis.RedisError.
    """
    if not calls:
        return []
    answers = _send(client, calls)
    if any(isinstance(answer, NoScriptError) for answer in answers):
        for name in {name for name, _ in calls}:
            client.script_load(source(name))
        answers = _send(client, calls)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def _send(client: redis.Redis, calls: Sequence[Call]) -> list[Any]:
    with client.pipeline(transaction=False) as pipe:
        for name, args in calls:
            pipe.evalsha(sha(name), 0, settings.REDIS_PREFIX, *args)
        return pipe.execute(raise_on_error=False)
