"""Periodic jobs by a clock that the test turns."""

from __future__ import annotations

import pytest

from inference.worker.hang import ASLEEP_SECONDS, HangWatch
from inference.worker.periodic import PeriodicJobs


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Bench:
    def __init__(self) -> None:
        self.clock = Clock()
        self.jobs = PeriodicJobs(self.clock)
        self.ran: list[str] = []

    def add(self, name: str, interval: float, *, wakes: bool = True) -> None:
        self.jobs.add(name, interval, lambda: self.ran.append(name), wakes=wakes)

    def after(self, seconds: float) -> list[str]:
        """Returns what runs in a pass `seconds` later."""
        self.clock.now += seconds
        self.ran.clear()
        self.jobs.run_due()
        return list(self.ran)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_job_runs_once_in_its_interval(bench: Bench) -> None:
    bench.add("renew", 1.0)
    assert [bench.after(0.5) for _ in range(6)] == [[], ["renew"], [], ["renew"], [], ["renew"]]


def test_due_jobs_run_in_the_order_in_which_they_were_added(bench: Bench) -> None:
    bench.add("slow", 2.0)
    bench.add("always", 0.0, wakes=False)
    bench.add("quick", 1.0)
    assert bench.after(1.0) == ["always", "quick"]
    assert bench.after(1.0) == ["slow", "always", "quick"]


def test_a_late_pass_makes_up_for_nothing(bench: Bench) -> None:
    """After a pause of many intervals a job runs once, and its next run is a whole interval away."""
    bench.add("renew", 1.0)
    assert bench.after(10.0) == ["renew"]
    assert bench.jobs.seconds_until("renew") == 1.0
    assert bench.after(0.5) == []


def test_the_wait_ends_with_the_next_job_that_wakes(bench: Bench) -> None:
    bench.add("append", 0.25, wakes=False)
    assert bench.jobs.seconds_until_next() is None
    bench.add("renew", 1.0)
    bench.add("heartbeat", 4.0)
    assert bench.jobs.seconds_until_next() == 1.0
    bench.clock.now += 3.0
    assert bench.jobs.seconds_until_next() == 0.0
    bench.jobs.run_due()
    assert bench.jobs.seconds_until_next() == 1.0


def test_a_hastened_job_is_due_at_once(bench: Bench) -> None:
    bench.add("append", 5.0, wakes=False)
    assert bench.after(1.0) == []
    bench.jobs.hasten("append")
    assert bench.after(0.0) == ["append"]
    assert bench.jobs.seconds_until("append") == 5.0


def test_a_job_that_fails_stays_due_with_those_behind_it(bench: Bench) -> None:
    failing = [True]

    def renew() -> None:
        if failing[0]:
            raise ConnectionError
        bench.ran.append("renew")

    bench.add("append", 1.0)
    bench.jobs.add("renew", 1.0, renew)
    bench.add("heartbeat", 1.0)
    with pytest.raises(ConnectionError):
        bench.after(1.0)
    assert bench.ran == ["append"]
    failing[0] = False
    assert bench.after(0.0) == ["renew", "heartbeat"]


def test_jobs_that_cannot_work_are_refused(bench: Bench) -> None:
    bench.add("renew", 1.0)
    with pytest.raises(ValueError, match="already"):
        bench.add("renew", 2.0)
    with pytest.raises(ValueError, match="above 0"):
        bench.add("spin", 0.0)


def test_an_engine_that_makes_no_step_is_noticed() -> None:
    clock = Clock()
    watch = HangWatch(7, clock)
    for seconds in (1.0, 2.0, 3.0):
        clock.now += 1.0
        assert watch.seconds_without_step(steps=7, busy=True) == seconds
    assert watch.seconds_without_step(steps=8, busy=True) == 0.0


def test_an_idle_engine_does_not_hang() -> None:
    clock = Clock()
    watch = HangWatch(7, clock)
    for _ in range(3):
        clock.now += 1.0
        assert watch.seconds_without_step(steps=7, busy=False) == 0.0
    clock.now += 1.0
    assert watch.seconds_without_step(steps=7, busy=True) == 1.0


def test_time_asleep_is_not_counted() -> None:
    clock = Clock()
    watch = HangWatch(7, clock)
    clock.now += 1.0
    watch.seconds_without_step(steps=7, busy=True)
    clock.now += ASLEEP_SECONDS + 1
    assert watch.seconds_without_step(steps=7, busy=True) == 0.0
    clock.now += 1.0
    assert watch.seconds_without_step(steps=7, busy=True) == 1.0
