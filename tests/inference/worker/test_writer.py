"""The worker's side of the fences, tick by tick, on a real Redis."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import redis

from inference.contract import RETURNED_TASK, Delta, GenerationRequest, Kind, Piece
from inference.wire import lease, log, queue
from inference.worker.held import Held
from inference.worker.writer import Writer

WORKER = "w1"
ASKED = GenerationRequest(
    generation_id="00000000-0000-0000-0000-000000000001",
    attempt=1,
    model="m",
    messages=({"role": "user", "content": "Hello"},),
    max_new_tokens=10,
    seed=7,
    user_key="alice",
)


class Worker:
    """A Writer, and the messages that it published."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client
        self.published: list[tuple[str, list[Any]]] = []
        self.dropped: list[str] = []
        self.now = 1000.0
        self.writer = Writer(
            client,
            WORKER,
            publish=lambda task, args: self.published.append((task, args)),
            cancel=lambda pk: None,
            drop=self.dropped.append,
            clock=lambda: self.now,
        )

    def claim(self) -> Held:
        claimed = queue.claim(self.client, "m", WORKER, suspects=True)
        assert claimed is not None
        assert claimed.request is not None
        return self.writer.hold(claimed.request, log.read(self.client, claimed.generation_id))


@pytest.fixture
def worker(redis_client: redis.Redis) -> Worker:
    return Worker(redis_client)


def write(worker: Worker, held: Held, after: int, seq: int, text: str) -> None:
    piece = Piece(after, seq, text, tuple(range(after, seq)))
    worker.writer.take([Delta(held.request.generation_id, held.request.attempt, piece)])
    worker.writer.tick(renew=False)


def given_up(worker: Worker) -> None:
    """Reconcile found its lease gone: one strike, and the next attempt waits."""
    newer = dataclasses.replace(ASKED, attempt=2, strikes=1)
    assert queue.submit(worker.client, newer, front=True) == "queued"


def test_a_tick_fences_off_the_older_attempt(worker: Worker) -> None:
    queue.submit(worker.client, ASKED)
    older = worker.claim()
    write(worker, older, 0, 2, "one two ")
    given_up(worker)
    write(worker, older, 2, 3, "three ")
    assert older.done.is_set()
    assert worker.published == [(RETURNED_TASK, [WORKER, [ASKED.generation_id]])]
    assert worker.dropped == [ASKED.generation_id]
    assert log.read(worker.client, ASKED.generation_id).text == "one two "


def test_the_same_worker_claims_the_newer_attempt_before_a_tick(worker: Worker) -> None:
    """Its older slot must not wait for ever, and the strike is taken back as after any fencing."""
    queue.submit(worker.client, ASKED)
    older = worker.claim()
    write(worker, older, 0, 2, "one two ")
    given_up(worker)
    newer = worker.claim()
    assert older.done.is_set()
    assert not newer.done.is_set()
    assert newer.request.attempt == 2
    write(worker, older, 2, 3, "lost ")  # what the engine still had of the older one
    write(worker, newer, 2, 3, "three ")
    assert log.read(worker.client, ASKED.generation_id).text == "one two three "
    assert worker.published == [(RETURNED_TASK, [WORKER, [ASKED.generation_id]])]
    (state,) = lease.states(worker.client, [ASKED.generation_id])
    assert (state.attempt, state.worker) == (2, WORKER)


def entries_of(worker: Worker) -> list[tuple[int, int]]:
    return [(piece.after, piece.seq) for piece in log.read(worker.client, ASKED.generation_id).pieces]


def test_a_lost_log_is_written_again_in_the_same_entries(worker: Worker) -> None:
    """So that a reader whose place was 2 or 5 goes on from there, and gets nothing twice."""
    queue.submit(worker.client, ASKED)
    held = worker.claim()
    write(worker, held, 0, 2, "one two ")
    worker.writer.take([Delta(ASKED.generation_id, 1, Piece(2, 3, "three ", (2,)))])
    write(worker, held, 3, 5, "four five ")
    before = entries_of(worker)
    assert before == [(0, 2), (2, 5)]
    worker.client.flushall()
    worker.writer.take([Delta(ASKED.generation_id, 1, Piece(5, 6, "six ", (5,)))])
    write(worker, held, 6, 7, "seven ")
    assert entries_of(worker) == [*before, (5, 7)]
    logged = log.read(worker.client, ASKED.generation_id)
    assert logged.text == "one two three four five six seven "
    assert [i for piece in logged.pieces for i in piece.ids] == list(range(7))


def test_an_entry_holds_one_kind_also_when_it_is_written_again(worker: Worker) -> None:
    queue.submit(worker.client, ASKED)
    held = worker.claim()
    kinds = [Kind.THOUGHT, Kind.THOUGHT, Kind.TEXT, Kind.TEXT, Kind.CALL]
    pieces = [Piece(n, n + 1, f"{n} ", (n,), kind=kind) for n, kind in enumerate(kinds)]
    worker.writer.take([Delta(ASKED.generation_id, 1, piece) for piece in pieces])
    worker.writer.tick(renew=False)
    expected = [(0, 2, Kind.THOUGHT), (2, 4, Kind.TEXT), (4, 5, Kind.CALL)]

    def logged() -> list[tuple[int, int, Kind]]:
        found = log.read(worker.client, ASKED.generation_id).pieces
        return [(piece.after, piece.seq, piece.kind) for piece in found]

    assert logged() == expected
    worker.client.flushall()
    write(worker, held, 5, 6, "5 ")
    assert logged() == [*expected, (5, 6, Kind.TEXT)]
    assert log.read(worker.client, ASKED.generation_id).text == "2 3 5 "


def test_a_log_that_came_back_shorter_is_made_whole_from_there(worker: Worker) -> None:
    queue.submit(worker.client, ASKED)
    held = worker.claim()
    write(worker, held, 0, 1, "one ")
    write(worker, held, 1, 2, "two ")
    worker.client.copy(log.key(ASKED.generation_id), "older")
    write(worker, held, 2, 3, "three ")
    write(worker, held, 3, 4, "four ")
    worker.client.rename("older", log.key(ASKED.generation_id))
    write(worker, held, 4, 6, "five six ")
    assert entries_of(worker) == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 6)]


def test_an_append_whose_answer_was_lost_is_recognised(worker: Worker) -> None:
    queue.submit(worker.client, ASKED)
    held = worker.claim()
    write(worker, held, 0, 1, "one ")
    log.append_all(worker.client, WORKER, [(ASKED.generation_id, 1, Piece(1, 3, "two three ", (1, 2)))])
    worker.writer.take(
        [
            Delta(ASKED.generation_id, 1, Piece(n, n + 1, text, (n,)))
            for n, text in ((1, "two "), (2, "three "))
        ]
    )
    write(worker, held, 3, 4, "four ")
    before = entries_of(worker)
    assert before == [(0, 1), (1, 3), (3, 4)]
    worker.client.flushall()
    write(worker, held, 4, 5, "five ")
    assert entries_of(worker) == [*before, (4, 5)]


def test_the_pieces_of_a_tick_are_one_call_and_each_reply_is_checked_alone(worker: Worker) -> None:
    """There are more replies than fit into one call, and two of them were given up."""
    ids = [f"{number:03}" for number in range(log.BATCH + 6)]
    for generation_id in ids:
        one = dataclasses.replace(ASKED, generation_id=generation_id, running_limit=100)
        queue.submit(worker.client, one)
        worker.claim()
    for generation_id in ids[1:3]:
        newer = dataclasses.replace(ASKED, generation_id=generation_id, attempt=2)
        assert queue.submit(worker.client, newer) == "queued"
    told = [Delta(each, 1, Piece(0, 1, f"é\0{each}", (3,), kind=Kind.CALL)) for each in ids]
    worker.writer.take([*told])
    worker.client.config_resetstat()
    worker.writer.tick(renew=False)
    stats: Any = worker.client.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] == 2
    logged = {each: log.read(worker.client, each).pieces for each in ids}
    fenced = set(ids[1:3])
    assert {each for each, pieces in logged.items() if not pieces} == fenced
    assert set(worker.dropped) == fenced
    for each in set(ids) - fenced:
        assert logged[each] == (Piece(0, 1, f"é\0{each}", (3,), kind=Kind.CALL),)


def think(worker: Worker, held: Held, after: int, text: str, *, seconds: float) -> None:
    worker.now += seconds
    piece = Piece(after, after + 1, text, (after,), kind=Kind.THOUGHT)
    worker.writer.take([Delta(held.request.generation_id, held.request.attempt, piece)])


def test_a_thought_is_stored_with_its_time_without_the_wait_for_its_first_token(worker: Worker) -> None:
    queue.submit(worker.client, ASKED)
    held = worker.claim()
    think(worker, held, 0, "let ", seconds=60)
    worker.writer.tick(renew=False)
    think(worker, held, 1, "me ", seconds=1.5)
    think(worker, held, 2, "see ", seconds=0.25)
    worker.writer.tick(renew=False)
    worker.now += 9
    write(worker, held, 3, 4, "Hello")
    pieces = log.read(worker.client, ASKED.generation_id).pieces
    assert [(piece.text, piece.duration_ms) for piece in pieces] == [
        ("let ", 0),
        ("me see ", 1750),
        ("Hello", 0),
    ]


def test_the_time_of_a_thought_survives_a_loss_of_redis_data(worker: Worker) -> None:
    queue.submit(worker.client, ASKED)
    held = worker.claim()
    think(worker, held, 0, "let ", seconds=1)
    think(worker, held, 1, "me ", seconds=2)
    worker.writer.tick(renew=False)
    before = log.read(worker.client, ASKED.generation_id)
    worker.client.flushdb()
    think(worker, held, 2, "see ", seconds=3)
    worker.writer.tick(renew=False)
    after = log.read(worker.client, ASKED.generation_id)
    assert after.pieces[: len(before.pieces)] == before.pieces
    assert sum(piece.duration_ms for piece in after.pieces) == 5000
