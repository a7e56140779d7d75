"""Log-probabilities go the way of the tokens: into the log, in order, and through a worker's change."""

from __future__ import annotations

import redis

from inference.contract import Delta
from inference.wire import log
from inference.wire import queue as fair_queue
from inference.worker.writer import Writer
from tests.inference.engine_fakes import Bench, hashed, request


def writer(client: redis.Redis, name: str) -> Writer:
    ignore = lambda *_: None  # noqa: E731 - nobody listens here
    return Writer(client, name, publish=ignore, cancel=ignore, drop=ignore)


def test_scores_stand_beside_their_tokens_in_the_log(redis_client: redis.Redis) -> None:
    asked = request([7, 8, 9], "scored", max_new_tokens=12, logprobs=2)
    bench = Bench(hashed).submit(asked).drain()
    made = [event for event in bench.events["scored"] if isinstance(event, Delta)]
    fair_queue.submit(redis_client, asked)
    first = writer(redis_client, "one")
    claim = fair_queue.claim(redis_client, "fake", "one", suspects=True)
    assert claim
    first.hold(claim.request, log.read(redis_client, "scored"))
    first.take(made[:4])
    first.tick(renew=False)
    assert fair_queue.release(redis_client, "scored", 1, "one")

    second = writer(redis_client, "two")
    assert fair_queue.claim(redis_client, "fake", "two", suspects=True)
    second.hold(asked, log.read(redis_client, "scored"))
    second.take([*made[4:], bench.events["scored"][-1]])
    second.tick(renew=False)

    kept = log.read(redis_client, "scored")
    assert kept.end
    assert [i for piece in kept.pieces for i in piece.ids] == [i for delta in made for i in delta.piece.ids]
    made_scores = [score for delta in made for score in delta.piece.scores]
    found = [score for piece in kept.pieces for score in piece.scores]
    assert len(found) == len(made_scores) > 4
    for mine, theirs in zip(found, made_scores, strict=True):
        assert abs(mine.logprob - theirs.logprob) < 1e-5
        assert [token for token, _ in mine.top] == [token for token, _ in theirs.top]
