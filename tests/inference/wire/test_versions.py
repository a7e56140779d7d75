"""Web process and workers of different versions: unknown fields, and who is handed a newer request."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import redis

from inference.contract import CONTRACT_VERSION, GenerationRequest, Reason, since
from inference.wire import lease, log, scripts
from inference.wire import queue as fair_queue
from tests.inference import queue_driver as driver

NEWER = CONTRACT_VERSION + 1


@dataclass(frozen=True, slots=True)
class NewerRequest(GenerationRequest):
    """A request of a later release, with a field that workers of today do not know."""

    effort: str = field(default="", metadata=since(NEWER))


def newer(generation_id: str, user: str, **fields: object) -> NewerRequest:
    plain = json.loads(driver.request(generation_id, user).to_json())
    return NewerRequest.from_json(json.dumps({**plain, "effort": "high", **fields}))


def test_a_request_ignores_unknown_fields() -> None:
    data = json.loads(driver.request("a", "alice", stop=("end",)).to_json())
    data["colour"] = "red"
    data["sampling"]["mirostat"] = 2
    data["rules"] = [{"rule_id": "1", "pattern": "x", "kind": "secret"}]
    read = GenerationRequest.from_json(json.dumps(data))
    assert read.to_json() == driver.request("a", "alice", stop=("end",), rules=read.rules).to_json()
    assert [rule.pattern for rule in read.rules] == ["x"]


def test_a_request_of_an_older_version_gets_defaults() -> None:
    data = json.loads(driver.request("a", "alice").to_json())
    for name in ("stop", "sampling", "rules", "logprobs"):
        del data[name]
    assert GenerationRequest.from_json(json.dumps(data)) == driver.request("a", "alice")


def test_a_newer_field_is_written_only_where_it_is_used() -> None:
    """Workers of version 1 accept no unknown field at all."""
    unused, used = newer("a", "alice", effort=""), newer("a", "alice")
    assert (unused.required_version, used.required_version) == (1, NEWER)
    assert unused.to_json() == driver.request("a", "alice").to_json()
    assert json.loads(used.to_json())["effort"] == "high"
    assert NewerRequest.from_json(used.to_json()) == used


def test_log_entries_ignore_unknown_fields(redis_client: redis.Redis) -> None:
    key = log.key("a")
    redis_client.xadd(
        key,
        {
            "after": 0,
            "text": "hi",
            "ids": "[7]",
            "kind": "text",
            "scores": '[[-0.5, [[7, -0.5]], "later"]]',
        },
        id="1-0",
    )
    redis_client.xadd(key, {"end": "stop", "body": '{"cached": 3}', "tools": "[]"}, id="1-1")
    kept = log.read(redis_client, "a")
    assert (kept.text, kept.seq, kept.pieces[0].scores[0].logprob) == ("hi", 1, -0.5)
    assert kept.end is not None
    assert (kept.end.reason, kept.end.prompt_tokens) == (Reason.STOP, 0)


def test_the_total_time_is_read_under_the_name_of_older_workers() -> None:
    entry = {"end": "stop", "body": "{}", "queued": "1", "first": "2"}
    for name in ("total", "whole"):
        end = log.parse("5-1", {**entry, name: "3"})
        assert isinstance(end, log.End)
        assert (end.queued_ms, end.first_ms, end.total_ms) == (1, 2, 3)


def test_a_newer_request_goes_only_to_a_worker_that_knows_it(redis_client: redis.Redis) -> None:
    driver.announce(redis_client, "today")
    driver.announce(redis_client, "tomorrow", contract=NEWER)
    fair_queue.submit(redis_client, newer("a", "alice"))
    for unaware in ("today", "never announced"):
        assert driver.claim(redis_client, unaware) is None
    claimed = driver.claim(redis_client, "tomorrow")
    assert claimed is not None
    assert claimed.generation_id == "a"


def test_a_worker_without_a_version_counts_as_version_1(redis_client: redis.Redis) -> None:
    driver.announce(redis_client, "old")
    redis_client.hdel(scripts.key("worker", "old"), "contract")
    assert [worker.contract for worker in fair_queue.workers(redis_client, driver.MODEL)] == [1]
    fair_queue.submit(redis_client, newer("a", "alice"))
    fair_queue.submit(redis_client, driver.request("b", "alice"))
    assert driver.drain(redis_client, "old") == ["b"]


def test_recovered_work_and_suspects_stay_for_a_newer_worker(redis_client: redis.Redis) -> None:
    driver.announce(redis_client, "today")
    driver.announce(redis_client, "tomorrow", contract=NEWER)
    fair_queue.submit(redis_client, newer("suspect", "alice", strikes=1))
    fair_queue.submit(redis_client, newer("recovered", "bob"), front=True)
    fair_queue.submit(redis_client, driver.request("plain", "carol"))
    assert driver.drain(redis_client, "today") == ["plain"]
    assert driver.drain(redis_client, "tomorrow") == ["suspect", "recovered"]


def test_waiting_for_a_newer_worker_costs_no_turn(redis_client: redis.Redis) -> None:
    """Replies that an older worker serves meanwhile do not move those who cannot be served there."""
    driver.announce(redis_client, "today")
    driver.announce(redis_client, "tomorrow", contract=NEWER)
    fair_queue.submit(redis_client, newer("a", "alice", estimate=10))
    for number in range(3):
        fair_queue.submit(redis_client, driver.request(f"b{number}", "bob", estimate=10, running_limit=9))
    assert driver.drain(redis_client, "today") == ["b0", "b1", "b2"]
    fair_queue.submit(redis_client, driver.request("c", "carol", estimate=10))
    assert driver.drain(redis_client, "tomorrow") == ["a", "c"]


def test_a_stopped_newer_request_ends_at_any_worker(redis_client: redis.Redis) -> None:
    fair_queue.submit(redis_client, newer("a", "alice"))
    assert fair_queue.stop(redis_client, "a") == "ended"
    ended = log.read(redis_client, "a").end
    assert ended is not None
    assert ended.reason is Reason.STOPPED


def test_the_version_of_a_request_survives_lost_data(redis_client: redis.Redis) -> None:
    """The worker enters the reply again; when it hands it over, older workers still do not get it."""
    driver.announce(redis_client, "today")
    assert lease.register(redis_client, "tomorrow", newer("a", "alice")) == ("ok", 0)
    assert fair_queue.release(redis_client, "a", 1, "tomorrow")
    assert driver.claim(redis_client, "today") is None
    driver.announce(redis_client, "tomorrow", contract=NEWER)
    assert driver.drain(redis_client, "tomorrow") == ["a"]


def test_a_request_that_offers_tools_needs_a_worker_that_knows_them() -> None:
    tools = ({"name": "echo", "description": "", "parameters": {}},)
    offered = driver.request("a", "alice", tools=tools, may_call=False)
    assert offered.required_version == 4
    assert GenerationRequest.from_json(offered.to_json()) == offered
    assert driver.request("a", "alice").required_version == 1
