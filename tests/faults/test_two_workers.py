"""Two workers of one model: one goes, the other has its replies within moments; nobody is blamed."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.faults.drill import Drill
from tests.faults.model_worker import ModelWorker
from tests.grokweb.service import Service

pytestmark = pytest.mark.faults_sqlite

LONG = "slow:220:40"  # lasts while both are stopped and one is back


@pytest.fixture(scope="module")
def second(service: Service) -> Iterator[ModelWorker]:
    worker = ModelWorker(service, "second-worker")
    try:
        yield worker.start()
    finally:
        worker.close()


def wait_for_both(drill: Drill) -> None:
    drill.wait(lambda: sum(w.slots > 0 for w in drill.store.workers("scripted")) == 2, "two workers")


def wait_until_writing(drill: Drill) -> None:
    drill.wait(lambda: len(drill.in_the_middle()) == 8, "eight replies in the middle")


@pytest.mark.fault("SIGSTOP, another worker goes on")
def test_one_sleeps_and_is_fenced_off_when_it_wakes(drill: Drill, second: ModelWorker) -> None:
    wait_for_both(drill)
    asked = drill.ask()
    wait_until_writing(drill)
    caught = drill.in_hand_of(second.pid)
    assert 0 < len(caught) < 8
    drill.strike(second.pid, signal.SIGSTOP, caught)
    try:
        drill.wait(lambda: drill.blows[0].waits_over(), "the other one goes on with what it had")
    finally:
        second.send_signal(signal.SIGCONT)
    drill.ended_well()
    attempts = {reply.generation_id: drill.row(reply)["attempt"] for reply in asked}
    assert [attempts.pop(reply.generation_id) for reply in caught] == [2] * len(caught)
    assert set(attempts.values()) == {1}
    assert {drill.row(reply)["strikes"] for reply in asked} == {0}  # it was not dead: taken back


@pytest.mark.fault("rolling restart of two workers")
def test_restarted_in_turn(drill: Drill, second: ModelWorker) -> None:
    wait_for_both(drill)
    asked = drill.ask(LONG)
    wait_until_writing(drill)
    caught = drill.in_hand_of(second.pid)
    drill.strike(second.pid, signal.SIGTERM, caught)
    drill.wait(second.has_ended, "the second worker ended")
    second.start()
    wait_for_both(drill)
    first = drill.service.pid("model-worker")
    also_caught = drill.in_hand_of(first)
    drill.strike(first, signal.SIGTERM, also_caught)
    assert caught
    assert also_caught
    drill.wait(
        lambda: drill.service.pid("model-worker") not in {0, first}, "the first worker is started again"
    )
    wait_for_both(drill)
    drill.ended_well()
    rows = [drill.row(reply) for reply in asked]
    assert {(row["attempt"], row["strikes"]) for row in rows} == {(1, 0)}
