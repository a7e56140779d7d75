"""Runs periodic jobs from one thread: a small scheduler with an injected clock, which never waits itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Job:
    name: str
    interval: float  # seconds from one run to the next; 0: with every pass
    run: Callable[[], None]
    wakes: bool  # whether the caller's wait ends when it is due; otherwise it runs with the next pass
    due: float  # by the clock


class PeriodicJobs:
    """Jobs in the order in which they were added. Each is due first one interval after that."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._jobs: dict[str, Job] = {}

    def add(self, name: str, interval: float, run: Callable[[], None], *, wakes: bool = True) -> None:
        """Raises ValueError for a name that exists, and for a job that would wake its caller all the time."""
        if name in self._jobs:
            raise ValueError(f"there is a job {name!r} already")
        if wakes and interval <= 0:
            raise ValueError(f"job {name!r} needs an interval above 0 to wake its caller")
        self._jobs[name] = Job(name, interval, run, wakes, self._clock() + interval)

    def seconds_until(self, name: str) -> float:
        """Returns how long a job has until it is due; 0 if it is."""
        return max(0.0, self._jobs[name].due - self._clock())

    def seconds_until_next(self) -> float | None:
        """Returns how long the caller may wait; None if no job wakes it."""
        return min((self.seconds_until(job.name) for job in self._jobs.values() if job.wakes), default=None)

    def hasten(self, name: str) -> None:
        """Makes a job due now."""
        self._jobs[name].due = self._clock()

    def run_due(self) -> None:
        """Runs all jobs that are due, in their order; the next run is one interval after this pass began.

        What a job raises ends the pass: that job and those behind it stay due.
        """
        now = self._clock()
        for job in self._jobs.values():
            if job.due <= now:
                job.run()
                job.due = now + job.interval
