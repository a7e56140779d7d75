"""Several workers of one model: a conversation goes on where its beginning is kept, at nobody's expense."""

from __future__ import annotations

import redis

from inference.wire import queue as fair_queue
from tests.inference.queue_driver import MODEL, announce, claim, finish, request


def ask(client: redis.Redis, key: str, talk: str, user: str = "ann") -> None:
    fair_queue.submit(client, request(key, user, cache_key=talk, running_limit=9))


def serve(client: redis.Redis, key: str, worker: str) -> None:
    """One turn of a conversation, begun and ended by this worker."""
    claimed = claim(client, worker)
    assert claimed
    assert claimed.generation_id == key
    finish(client, key, 1, worker)


def claims(client: redis.Redis, worker: str) -> str | None:
    """The id of what it got, "elsewhere", or None."""
    answer = fair_queue.claim(client, MODEL, worker, suspects=True)
    return answer.generation_id if isinstance(answer, fair_queue.Claim) else answer


def two_workers(client: redis.Redis, slots: int = 3) -> None:
    for worker in ("one", "two"):
        announce(client, worker, slots)


def test_the_next_turn_is_left_to_the_worker_that_has_the_first(redis_client: redis.Redis) -> None:
    two_workers(redis_client)
    ask(redis_client, "first", "talk")
    serve(redis_client, "first", "one")
    ask(redis_client, "second", "talk")
    assert claims(redis_client, "two") == "elsewhere"
    assert claims(redis_client, "one") == "second"


def test_a_reply_is_left_to_its_holder_once(redis_client: redis.Redis) -> None:
    two_workers(redis_client)
    ask(redis_client, "first", "talk")
    serve(redis_client, "first", "one")
    ask(redis_client, "second", "talk")
    assert claims(redis_client, "two") == "elsewhere"
    assert claims(redis_client, "two") == "second"
    finish(redis_client, "second", 1, "two")
    ask(redis_client, "third", "talk")  # it is the other's now
    assert claims(redis_client, "one") == "elsewhere"
    assert claims(redis_client, "two") == "third"


def test_another_user_is_served_meanwhile(redis_client: redis.Redis) -> None:
    two_workers(redis_client)
    ask(redis_client, "first", "talk")
    serve(redis_client, "first", "one")
    ask(redis_client, "second", "talk")
    ask(redis_client, "other", "another", user="bob")
    assert claims(redis_client, "two") == "other"
    assert claims(redis_client, "two") == "second"


def test_no_reply_waits_for_a_holder_that_is_full_or_gone(redis_client: redis.Redis) -> None:
    two_workers(redis_client, slots=1)
    ask(redis_client, "first", "talk")
    serve(redis_client, "first", "one")
    ask(redis_client, "busy", "another")
    assert claims(redis_client, "one") == "busy"
    ask(redis_client, "second", "talk")
    assert claims(redis_client, "two") == "second"
    finish(redis_client, "second", 1, "two")
    fair_queue.leave(redis_client, MODEL, "two")
    ask(redis_client, "third", "talk")
    finish(redis_client, "busy", 1, "one")
    assert claims(redis_client, "one") == "third"


def test_a_conversation_of_another_user_is_no_hint(redis_client: redis.Redis) -> None:
    two_workers(redis_client)
    ask(redis_client, "first", "talk")
    serve(redis_client, "first", "one")
    ask(redis_client, "second", "talk", user="bob")
    assert claims(redis_client, "two") == "second"
