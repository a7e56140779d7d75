"""A model whose replies no other worker can continue: they start again, and pages replace what they held."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator, Sequence

import pytest

from tests.faults.client import Reply, words
from tests.faults.drill import WORDS, Drill
from tests.faults.model_worker import ModelWorker
from tests.grokweb.service import Service

pytestmark = pytest.mark.faults_sqlite
SLUG = "scripted-restart"


@pytest.fixture(scope="module")
def workers(service: Service) -> Iterator[list[ModelWorker]]:
    made = [ModelWorker(service, f"restart-{n}", model="scripted:restart", slug=SLUG) for n in (1, 2)]
    try:
        yield [worker.start() for worker in made]
    finally:
        for worker in made:
            worker.close()


@pytest.fixture
def restarting(drill: Drill, workers: list[ModelWorker]) -> Iterator[Drill]:
    """Whoever asks, asks the model that cannot resume; both of its workers run."""
    drill.wait(lambda: drill.rows.has_model(SLUG), "the model announced")
    drill.rows.make_default(SLUG)
    for worker in workers:
        if worker.has_ended():
            worker.start()
    drill.wait(lambda: sum(each.slots > 0 for each in drill.store.workers(SLUG)) == 2, "two workers")
    try:
        yield drill
    finally:
        drill.rows.make_default("scripted")


def ended_well(drill: Drill, asked: Sequence[Reply]) -> list[int]:
    """Every reply is that of one run, whole; returns the runs."""
    drill.wait_until_done()
    runs = {reply.generation_id: drill.row(reply)["run"] for reply in asked}
    texts = {pk: words(WORDS).upper() if run else words(WORDS) for pk, run in runs.items()}
    drill.ended_well(undisturbed=texts)
    return list(runs.values())


@pytest.mark.fault("model worker SIGKILL, no way to resume")
def test_replies_of_a_killed_worker_start_again(restarting: Drill, workers: list[ModelWorker]) -> None:
    asked = restarting.ask()
    restarting.wait_until_writing(10, replies=8)
    caught = restarting.in_hand_of(workers[0].pid)
    restarting.strike(workers[0].pid, signal.SIGKILL, caught)
    runs = ended_well(restarting, asked)
    assert sum(run > 0 for run in runs) >= len(caught) > 0
    assert {restarting.row(reply)["strikes"] for reply in caught} == {1}


@pytest.mark.fault("model worker SIGTERM, no way to resume")
def test_replies_that_are_handed_over_start_again(restarting: Drill, workers: list[ModelWorker]) -> None:
    asked = restarting.ask()
    restarting.wait_until_writing(2, replies=8)
    caught = restarting.in_hand_of(workers[0].pid)
    restarting.strike(workers[0].pid, signal.SIGTERM, caught)
    runs = ended_well(restarting, asked)
    assert sum(run > 0 for run in runs) >= len(caught) > 0
    assert {restarting.row(reply)["strikes"] for reply in asked} == {0}


@pytest.mark.fault("Redis loses its data and a worker dies, no way to resume")
def test_replies_lost_with_their_worker_start_again(restarting: Drill, workers: list[ModelWorker]) -> None:
    asked = restarting.ask()
    restarting.wait_until_writing(10, replies=8)
    caught = restarting.in_hand_of(workers[0].pid)
    workers[0].send_signal(signal.SIGKILL)
    shutil.rmtree(restarting.service.data / "redis" / "appendonlydir")  # its open files lose their names
    restarting.kill("redis")
    runs = ended_well(restarting, asked)
    assert sum(run > 0 for run in runs) >= len(caught) > 0


@pytest.mark.fault("stop after a reply started again")
def test_a_stop_ends_the_new_run(restarting: Drill, workers: list[ModelWorker]) -> None:
    asked = restarting.ask()
    restarting.wait_until_writing(10, replies=8)
    caught = restarting.in_hand_of(workers[0].pid)
    restarting.strike(workers[0].pid, signal.SIGKILL, caught)
    restarting.wait(lambda: caught[0].state.run and caught[0].seq, "it started again")
    restarting.stop(caught[0])
    restarting.wait(lambda: caught[0].done, "stopped", 20)
    restarting.wait_until_done()
    row = restarting.row(caught[0])
    assert row["status"] == "stopped"
    assert row["text"] == caught[0].text
    assert words(WORDS).upper().startswith(row["text"].rstrip())
    others = [reply for reply in asked if reply is not caught[0]]
    texts = {
        reply.generation_id: words(WORDS).upper() if restarting.row(reply)["run"] else words(WORDS)
        for reply in others
    }
    restarting.ended_well(others=(caught[0],), undisturbed=texts)
