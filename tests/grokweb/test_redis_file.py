"""The embedded Redis on a full disk: it goes on in memory, and nothing is lost once there is room."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.test import override_settings

from chat.turns import port
from grokweb import redis_file
from grokweb.redis_server import EmbeddedRedis
from inference import scripts
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
    return bool(client.info("persistence")["aof_enabled"] == on)  # type: ignore[index]


def test_it_takes_writes_again_and_keeps_them(disk: SmallDisk, server: EmbeddedRedis) -> None:
    said: list[str] = []
    client = scripts.connect(server.url)
    client.set("before", "1")
    with disk.full():
        eventually(lambda: refuses(client), "a refusal", 10)
        eventually(lambda: redis_file.tend(client, server, said.append) or not refuses(client), "writes", 10)
        client.set("meanwhile", "2")
        redis_file.tend(client, server, said.append)
        assert file_is(client, 0), "it is not turned on while there is no room"
    redis_file.tend(client, server, said.append)
    assert file_is(client, 1)
    eventually(lambda: not client.info("persistence")["aof_rewrite_in_progress"], "the file is written", 20)  # type: ignore[index]
    server.stop()
    server.start()
    again = scripts.connect(server.url)
    assert [again.get("before"), again.get("meanwhile")] == ["1", "2"]
    assert ["memory" in said[0], "again" in said[1], len(said)] == [True, True, 2]


def test_reconcile_rests_after_redis_refused_writes(
    disk: SmallDisk, server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leases ran out meanwhile although their workers live: nobody is judged before they renewed them."""
    client = scripts.connect(server.url)
    live = [uuid.uuid4()]
    monkeypatch.setattr(port._local, "client", client, raising=False)
    with override_settings(REDIS_REST_SECONDS=0.5):
        eventually(lambda: not port.resting(lambda: live), "the rest after the start is over", 10)
        with disk.full():
            eventually(lambda: refuses(client), "a refusal", 10)
        eventually(lambda: not refuses(client), "writes", 10)
        assert port.resting(lambda: live)
        eventually(lambda: not port.resting(lambda: live), "the rest is over", 10)
        assert not port.resting(lambda: live)
