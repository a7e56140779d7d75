"""The real model: what a killed worker had begun ends with the very bytes of a run that nobody disturbed.

That is the native step's promise (inference/native); torch does not make it.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from inference.contract import Ended, Event, GenerationRequest
from tests.faults.client import Reply
from tests.faults.drill import PATIENCE, Blow, Drill
from tests.faults.model_worker import ModelWorker
from tests.grokweb.service import Service

pytestmark = pytest.mark.faults_sqlite

MODEL = Path(__file__).resolve().parents[2] / "inference" / "demo" / "model"
SLUG = "grokweb-demo"
# Long answers, and different ones by seed.
QUESTIONS = ("Once upon a time there was", "Write a story about a robot who wanted to be a painter.")


@pytest.fixture(scope="module")
def native() -> None:
    import torch

    from inference.native.build import NotBuilt
    from inference.native.step import ensure_native

    try:
        config = json.loads((MODEL / "config.json").read_text())
        ensure_native(config, "cuda" if torch.cuda.is_available() else "cpu")
    except NotBuilt as reason:
        pytest.skip(f"no native step: {reason}")


@pytest.fixture(scope="module")
def workers(native: None, service: Service) -> Iterator[list[ModelWorker]]:
    """Two, so that one goes on while the other is dead."""
    made = [ModelWorker(service, f"demo-{n}", model=str(MODEL), slug=SLUG) for n in (1, 2)]
    try:
        yield [worker.start() for worker in made]
    finally:
        for worker in made:
            worker.close()


def undisturbed(requests: Sequence[GenerationRequest]) -> dict[str, str]:
    """Returns the engine's answers in this process, one after the other, each alone."""
    from inference.engines.local import LocalEngine

    texts = {request.generation_id: "" for request in requests}
    ended = threading.Semaphore(0)

    def emit(events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Ended):
                ended.release()
            else:
                texts[event.generation_id] += event.piece.text

    engine = LocalEngine(MODEL, slots=1, threads=1)
    engine.start(emit)
    try:
        for request in requests:
            engine.submit(request, ())
            assert ended.acquire(timeout=PATIENCE)
    finally:
        engine.stop()
    return texts


@pytest.fixture
def demo(drill: Drill, workers: list[ModelWorker]) -> Iterator[Drill]:
    """Whoever asks, asks the demo model."""
    drill.wait(lambda: drill.rows.has_model(SLUG), "the demo model announced")
    drill.rows.make_default(SLUG)
    try:
        yield drill
    finally:
        drill.rows.make_default("scripted")


def ask_while_all_sleep(drill: Drill, workers: list[ModelWorker]) -> list[Reply]:
    """So that every reply's number is known before its first token: they last a tenth of a second."""
    for worker in workers:
        worker.send_signal(signal.SIGSTOP)
    half = len(drill.crowd.tabs) // 2
    asked = drill.ask(QUESTIONS[0], who=slice(0, half)) + drill.ask(QUESTIONS[1], who=slice(half, None))
    drill.wait_until_acknowledged(asked)
    drill.wait(lambda: all(reply.places for reply in asked), "all in the queue")
    return asked


def kill_in_the_middle(drill: Drill, workers: list[ModelWorker], asked: list[Reply]) -> list[Reply]:
    """Wakes both workers and kills the one that has written some tokens first; what it was caught at."""
    names = [reply.generation_id for reply in asked]
    for worker in workers:
        worker.send_signal(signal.SIGCONT)
    pid = drill.store.first_holder(names, tokens=5)
    dead = next((worker for worker in workers if worker.pid == pid), workers[0])
    at = time.perf_counter()
    dead.send_signal(signal.SIGKILL)
    drill.wait(dead.has_ended, "the worker killed")
    caught = [reply for reply in asked if drill.store.is_cut(reply.generation_id, dead.pid)]
    drill.blows.append(Blow(at, caught))
    dead.start()
    return caught


@pytest.mark.fault("model worker SIGKILL, demo model")
def test_replies_survive_a_worker_killed_in_the_middle(demo: Drill, workers: list[ModelWorker]) -> None:
    requests: list[GenerationRequest] = []
    for _ in range(10):  # they may all have ended in the moment between looking and killing
        asked = ask_while_all_sleep(demo, workers)
        requests += [demo.store.request(reply.generation_id) for reply in asked]
        caught = kill_in_the_middle(demo, workers, asked)
        demo.wait_until_done()
        if caught:
            break
    assert caught
    assert {request.sampling.temperature for request in requests} == {0.7}
    assert len({request.seed for request in requests}) == len(requests)
    demo.ended_well(undisturbed=undisturbed(requests))
    rows = [demo.row(reply) for reply in caught]
    # A later attempt without a strike: on a busy machine the other worker may miss its lease once, too.
    assert {row["strikes"] for row in rows} == {1}
    assert all(row["attempt"] >= 2 for row in rows)
