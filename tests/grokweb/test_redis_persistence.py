"""Tests the embedded Redis on a full disk: it continues in memory and loses nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.test import override_settings

from chat.turns import reconcile_rest, redis_client
from grokweb import redis_persistence
from grokweb.redis_server import EmbeddedRedis
from inference.wire import scripts
from tests.faults.small_disk import SmallDisk
from tests.grokweb.service import eventually


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    made = SmallDisk(tmp_path / "redis", 8)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def server(disk: SmallDisk) -> Iterator[EmbeddedRedis]:
    made = EmbeddedRedis(disk.folder).start()
    try:
        yield made
    finally:
        made.kill()


def refuses(client: redis.Redis) -> bool:
    try:
        client.set("written", time.time())
    except redis.ResponseError as error:
        return "MISCONF" in str(error)
    return False


def file_is(client: redis.Redis, on: int) -> bool:
    return bool(client.info("persistence")["aof_enabled"] == on)


def test_redis_accepts_writes_on_a_full_disk_and_stores_them_later(
    disk: SmallDisk, server: EmbeddedRedis
) -> None:
    said: list[str] = []
    client = scripts.connect(server.url)
    client.set("before", "1")
    with disk.full():
        eventually(lambda: refuses(client), "a refusal", 10)

        def writes() -> bool:
            redis_persistence.tend(client, server, said.append)
            return not refuses(client)

        eventually(writes, "writes", 10)
        client.set("meanwhile", "2")
        redis_persistence.tend(client, server, said.append)
        assert file_is(client, 0), "it is not turned on while there is no room"
    redis_persistence.tend(client, server, said.append)
    assert file_is(client, 1)
    eventually(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "the file is written", 20)
    server.stop()
    server.start()
    again = scripts.connect(server.url)
    assert [again.get("before"), again.get("meanwhile")] == ["1", "2"]
    assert ["memory" in said[0], "again" in said[1], len(said)] == [True, True, 2]


def test_reconcile_rests_after_redis_refused_writes(
    disk: SmallDisk, server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leases expired although their workers live: no death is counted before they are renewed."""
    client = scripts.connect(server.url)
    live = [uuid.uuid4()]
    monkeypatch.setattr(redis_client._local, "client", client, raising=False)
    with override_settings(REDIS_REST_SECONDS=0.5):
        eventually(
            lambda: not reconcile_rest.must_wait_for_workers(lambda: live),
            "the wait after the start is over",
            10,
        )
        with disk.full():
            eventually(lambda: refuses(client), "a refusal", 10)
        eventually(lambda: not refuses(client), "writes", 10)
        assert reconcile_rest.must_wait_for_workers(lambda: live)
        eventually(lambda: not reconcile_rest.must_wait_for_workers(lambda: live), "the wait is over", 10)
        assert not reconcile_rest.must_wait_for_workers(lambda: live)
