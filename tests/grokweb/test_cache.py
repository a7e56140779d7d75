"""Tests the cache in Redis: its content is never executed."""

from __future__ import annotations

import asyncio
import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import sync_to_async
from django.core.cache import cache

VALUES = ["text é", 5, "5", 2.5, True, None, [1, "a"], {"day": [1732546800.5]}, ""]


@pytest.mark.parametrize("value", VALUES)
def test_values_are_stored_as_json_and_read_back(value: object) -> None:
    cache.set("kept", value, 60)
    try:
        assert cache.get("kept", "nothing") == value
        stored = cache._cache.get_client(None).get(cache.make_key("kept"))
        assert json.loads(stored) == value
    finally:
        cache.delete("kept")


def test_counters_can_be_incremented() -> None:
    cache.set("count", 1, 60)
    try:
        assert cache.incr("count") == 2
        assert cache.get("count") == 2
    finally:
        cache.delete("count")


def test_a_pickle_put_there_by_somebody_else_is_not_loaded() -> None:
    cache._cache.get_client(None).set(cache.make_key("strange"), pickle.dumps(["x"]))
    try:
        with pytest.raises(ValueError):
            cache.get("strange")
    finally:
        cache.delete("strange")


async def test_requests_of_one_process_share_a_connection() -> None:
    def connection() -> int:
        return int(cache._cache.get_client(None).client_id())

    async def request() -> int:
        return await sync_to_async(connection, thread_sensitive=False)()

    assert len({await asyncio.create_task(request()) for _ in range(5)}) == 1


def test_more_requests_than_connections_wait_for_each_other() -> None:
    def hold(number: int) -> int:
        cache._cache.get_client(None).blpop("nothing", 0.3)
        return number

    with ThreadPoolExecutor(150) as crowd:
        assert list(crowd.map(hold, range(150))) == list(range(150))


def test_the_cache_works_again_after_redis_was_away() -> None:
    cache.set("kept", 1, 60)
    client = cache._cache.get_client(None)
    client.client_kill_filter(_type="normal", skipme=False)
    cache.set("kept", 2, 60)
    assert cache.get("kept") == 2
    cache.delete("kept")
