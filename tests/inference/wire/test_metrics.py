"""Tests the metrics of the engine over the last minute, and of settled replies in Redis."""

from __future__ import annotations

import pytest
import redis

from inference.contract import CONTRACT_VERSION
from inference.wire import queue
from inference.wire.metrics import Recent, Times, count_reply, replies
from tests.inference.engine_fakes import Bench, request


def times(**changed: int | None) -> Times:
    about: dict[str, int | None] = {"queued_ms": 200, "first_ms": 1200, "total_ms": 3200}
    return Times.of(**{**about, **changed}, prompt_tokens=7, tokens=21)


def test_per_token_is_from_the_first_token_to_the_end() -> None:
    assert times().per_token == pytest.approx(0.1)
    assert times(first_ms=None).per_token is None  # Redis lost when it came
    assert Times.of(queued_ms=1, first_ms=5, total_ms=5, prompt_tokens=1, tokens=1).per_token is None


def test_replies_add_up(redis_client: redis.Redis) -> None:
    count_reply(redis_client, "m", "complete", times())
    count_reply(redis_client, "m", "complete", times(queued_ms=999_999))
    count_reply(redis_client, "m", "failed", times(queued_ms=None, first_ms=None))
    count_reply(redis_client, "other", "complete", times())
    found = replies(redis_client, "m")
    assert found.ended == {"complete": 2, "failed": 1}
    assert (found.prompt_tokens, found.completion_tokens) == (21, 63)
    queued = dict(found.histograms["queued_seconds"].buckets)
    assert (queued["0.1"], queued["0.25"], queued["600.0"], queued["+Inf"]) == (0, 1, 1, 2)
    assert found.histograms["queued_seconds"].total == pytest.approx(1000.199)
    assert dict(found.histograms["first_token_seconds"].buckets)["+Inf"] == 2
    assert found.histograms["token_seconds"].total == pytest.approx(0.2)


def test_a_value_on_a_bound_is_below_it(redis_client: redis.Redis) -> None:
    count_reply(redis_client, "m", "complete", times(queued_ms=250))
    assert dict(replies(redis_client, "m").histograms["queued_seconds"].buckets)["0.25"] == 1


def test_the_last_minute() -> None:
    recent = Recent()
    assert recent.add(0, {"steps": 5, "rows": 5, "tokens": 100}) == {"tokens_per_second": 0}
    assert recent.add(10, {"steps": 15, "rows": 25, "tokens": 120}) == {
        "tokens_per_second": 2,
        "rows_per_step": 2,
    }
    for second in range(11, 80):
        now = recent.add(second, {"steps": 15, "rows": 25, "tokens": 120})
    assert now == {"tokens_per_second": 0}  # what happened before is forgotten


def test_the_scheduler_counts() -> None:
    bench = Bench(slots=2, context=64).submit(request([7, 8, 9], "a"), request([8], "b")).turn()
    during = bench.scheduler.metrics()
    assert (during["cache_used"], during["cache_size"]) == (5 + 3, 2 * 64)
    bench.drain()
    # Four steps for a, two of them with b: three tokens, one token, and the end of each turn.
    counted = {"steps": 4, "rows": 6, "tokens": 4, "prompt_computed": 8, "prompt_reused": 0}
    assert bench.scheduler.metrics() == counted | {"cache_used": 0, "cache_size": 128}


def test_a_heartbeat_brings_the_metrics(redis_client: redis.Redis) -> None:
    queue.beat(
        redis_client, "m", "w", slots=4, busy=1, back_end="torch-9", fingerprint="f", metrics={"tokens": 3}
    )
    assert queue.workers(redis_client, "m") == [
        queue.Worker("w", 4, 1, "torch-9", "f", {"tokens": 3}, CONTRACT_VERSION)
    ]


def test_a_heartbeat_of_an_older_version_is_read(redis_client: redis.Redis) -> None:
    queue.beat(redis_client, "m", "w", slots=4, busy=1, back_end="x", fingerprint="f", metrics={})
    redis_client.hdel("gw:worker:w", "back_end", "metrics", "contract")
    assert queue.workers(redis_client, "m") == [queue.Worker("w", 4, 1, "", "f", {})]
