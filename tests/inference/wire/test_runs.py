"""Runs of a reply: its log is emptied together with the attempt, and readers of the old one notice."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import redis

from inference.contract import Capabilities, Kind, Piece, Reason, Resume
from inference.wire import lease, log
from inference.wire import queue as fair_queue
from tests.inference import queue_driver as driver

ASKED = driver.request("a", "alice")
AGAIN = dataclasses.replace(ASKED, attempt=2, run=1)


@pytest.fixture
def written(redis_client: redis.Redis) -> redis.Redis:
    """A reply of one run with three tokens in its log."""
    driver.announce(redis_client, "w")
    fair_queue.submit(redis_client, ASKED)
    driver.claim(redis_client)
    assert driver.write(redis_client, "a", 1, "w", 0, 3) == "appended"
    return redis_client


def entries(client: redis.Redis) -> list[str]:
    found: Any = client.xrange(log.key("a"))
    return [entry_id for entry_id, _fields in found]


def test_a_higher_run_empties_the_log_with_the_attempt(written: redis.Redis) -> None:
    assert fair_queue.submit(written, AGAIN) == "queued"
    assert log.read(written, "a") == log.Log((), None)
    assert driver.write(written, "a", 1, "w", 3, 4) == "stale"
    driver.claim(written)
    assert driver.write(written, "a", 2, "w", 3, 4) == "gap"
    assert driver.write(written, "a", 2, "w", 0, 1) == "appended"
    (piece,) = log.read(written, "a").pieces
    assert (piece.after, piece.seq, piece.run) == (0, 1, 1)


def test_a_higher_attempt_of_the_same_run_keeps_the_log(written: redis.Redis) -> None:
    fair_queue.submit(written, dataclasses.replace(ASKED, attempt=2))
    assert log.read(written, "a").seq == 3
    driver.claim(written)
    assert driver.write(written, "a", 2, "w", 3, 4) == "appended"


def test_a_reader_of_the_older_run_is_before_all_of_the_newer_one(written: redis.Redis) -> None:
    place = entries(written)[-1]
    fair_queue.submit(written, AGAIN)
    driver.claim(written)
    driver.write(written, "a", 2, "w", 0, 1)
    driver.finish(written, "a", 2, "w", 1)
    answer: Any = written.xread({log.key("a"): place})
    assert [entry_id for entry_id, _fields in answer[0][1]] == entries(written)
    assert len(entries(written)) == 2
    end = log.read(written, "a").end
    assert end is not None
    assert (end.seq, end.run) == (1, 1)


def test_an_end_before_the_first_token_is_of_the_new_run(written: redis.Redis) -> None:
    place = entries(written)[-1]
    fair_queue.submit(written, AGAIN)
    assert fair_queue.stop(written, "a") == "ended"
    answer: Any = written.xread({log.key("a"): place})
    assert len(answer[0][1]) == 1
    ended = log.read(written, "a")
    assert ended.end is not None
    assert (ended.end.reason, ended.end.seq, ended.run) == (Reason.STOPPED, 0, 1)


def test_a_log_that_has_ended_is_not_emptied(written: redis.Redis) -> None:
    driver.finish(written, "a", 1, "w", 3)
    assert fair_queue.submit(written, AGAIN) == "ended"
    assert (log.read(written, "a").seq, log.read(written, "a").run) == (3, 0)


def test_a_worker_that_registers_a_newer_run_begins_an_empty_log(written: redis.Redis) -> None:
    """Redis came back with data from before the run was raised."""
    assert lease.register(written, "w", AGAIN) == ("ok", 0)
    assert log.read(written, "a").pieces == ()
    assert driver.write(written, "a", 2, "w", 0, 2) == "appended"
    assert lease.register(written, "w", AGAIN) == ("ok", 2)


@pytest.mark.parametrize(
    ("resume", "kind", "is_claimed"),
    [
        (Resume.EXACT, Kind.THOUGHT, True),
        (Resume.PREFIX, Kind.TEXT, True),
        (Resume.PREFIX, Kind.THOUGHT, False),
        (Resume.RESTART, Kind.TEXT, False),
    ],
)
def test_a_worker_gets_no_reply_that_it_cannot_continue(
    redis_client: redis.Redis, resume: Resume, kind: Kind, is_claimed: bool
) -> None:
    driver.announce(redis_client, "w", resume=resume)
    fair_queue.submit(redis_client, ASKED)
    driver.claim(redis_client)
    piece = Piece(0, 2, "xx", (1, 2), kind=kind)
    log.append_all(redis_client, "w", [("a", 1, piece)])
    assert fair_queue.release(redis_client, "a", 1, "w")
    assert lease.states(redis_client, ["a"])[0].seq == 2
    assert (driver.claim(redis_client) is not None) is is_claimed
    if not is_claimed:
        fair_queue.submit(redis_client, AGAIN, front=True)
        assert driver.claim(redis_client) is not None


def test_a_run_goes_only_to_workers_that_know_runs(redis_client: redis.Redis) -> None:
    driver.announce(redis_client, "old", contract=2)
    driver.announce(redis_client, "new")
    fair_queue.submit(redis_client, AGAIN)
    assert driver.claim(redis_client, "old") is None
    assert driver.claim(redis_client, "new") is not None


def test_capabilities_are_read_from_older_and_newer_workers() -> None:
    told = Capabilities(Resume.PREFIX, reasoning=True, efforts=("low", "high"), images=True)
    assert Capabilities.from_json(told.to_json()) == told
    assert Capabilities.from_json("{}") == Capabilities()
    newer = told.to_json().replace("{", '{"telepathy":true,', 1)
    assert Capabilities.from_json(newer) == told


@pytest.mark.parametrize("raw", ["[]", "{", '{"resume": "perhaps"}'])
def test_capabilities_that_cannot_be_read_are_refused(raw: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Capabilities.from_json(raw)
