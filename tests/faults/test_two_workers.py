"""Two workers of one model: one goes, the other has its replies within moments; nobody is blamed."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import pytest

from tests.faults.client import Reply
from tests.faults.drill import WORDS, Drill
from tests.faults.model_worker import ModelWorker
from tests.grokweb.service import Service

pytestmark = pytest.mark.faults_sqlite


@pytest.fixture(scope="module")
def second(service: Service) -> Iterator[ModelWorker]:
    worker = ModelWorker(service, "second-worker")
    try:
        yield worker.start()
    finally:
        worker.close()


def wait_for_both(drill: Drill) -> None:
    drill.wait(lambda: both_run(drill), "two workers")


def both_run(drill: Drill) -> bool:
    return sum(worker.slots > 0 for worker in drill.store.workers("scripted")) == 2


@pytest.mark.fault("SIGSTOP, another worker goes on")
def test_one_sleeps_and_is_fenced_off_when_it_wakes(drill: Drill, second: ModelWorker) -> None:
    wait_for_both(drill)
    caught: list[Reply] = []
    first_has: list[Reply] = []

    def both_write() -> bool:
        caught[:] = drill.in_hand_of(second.pid)
        first_has[:] = drill.in_hand_of(drill.service.pid("model-worker"))
        early = all(reply.seq <= WORDS // 2 for reply in caught)  # none ends before the fault
        return early and bool(caught and first_has) and len(caught + first_has) == len(drill.crowd.tabs)

    under_load(drill, both_write, "everybody's reply in the middle, and each worker has some")
    drill.strike(second.pid, signal.SIGSTOP, caught)

    def all_taken_over() -> bool:
        # One that nobody asked for again yet may go on in the hand of the sleeper: that is no fault.
        return all(drill.row(reply)["attempt"] == 2 for reply in caught)

    try:
        drill.wait(all_taken_over, "all that it had is asked for again")
        drill.wait(lambda: drill.blows[0].waits_over(), "the other one goes on with it")
    finally:
        second.send_signal(signal.SIGCONT)
    drill.ended_well()
    assert {drill.row(reply)["attempt"] for reply in caught} == {2}
    assert {drill.row(reply)["attempt"] for reply in first_has} == {1}
    drill.nobody_is_blamed(drill.crowd.replies)


def under_load(drill: Drill, check: Callable[[], object], what: str) -> None:
    def checked() -> object:
        drill.keep_asking()
        return check()

    drill.wait(checked, what)


def ask_to_leave(drill: Drill, pid: int) -> None:
    """So early in two replies that it cannot end them before it hands over."""

    def early() -> list[Reply]:
        return [reply for reply in drill.in_hand_of(pid) if reply.seq <= WORDS // 3]

    under_load(drill, lambda: len(early()) >= 2, "it begins two replies")
    drill.strike(pid, signal.SIGTERM, early())


@pytest.mark.fault("rolling restart of two workers")
def test_replies_go_on_while_two_workers_are_restarted_in_turn(drill: Drill, second: ModelWorker) -> None:
    wait_for_both(drill)
    ask_to_leave(drill, second.pid)
    under_load(drill, second.has_ended, "the second worker ended")
    second.start()
    under_load(drill, lambda: both_run(drill), "two workers")
    first = drill.service.pid("model-worker")
    ask_to_leave(drill, first)
    under_load(
        drill, lambda: drill.service.pid("model-worker") not in {0, first}, "the first is started again"
    )
    under_load(drill, lambda: both_run(drill), "two workers")
    drill.ended_well()
    rows = [drill.row(reply) for reply in drill.crowd.replies]
    assert len(rows) > 8
    assert {(row["attempt"], row["strikes"]) for row in rows} == {(1, 0)}
