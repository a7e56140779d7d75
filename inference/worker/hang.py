"""Notices an engine that has work and makes no step."""

from __future__ import annotations

import time
from collections.abc import Callable

ASLEEP_SECONDS = 2.0  # calls further apart mean that the whole process slept (SIGSTOP, a closed lid)


class HangWatch:
    """Compares the engine's step counter from call to call; must be called several times a second."""

    def __init__(self, steps: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steps = steps
        self._called = self._moved = clock()

    def seconds_without_step(self, *, steps: int, busy: bool) -> float:
        """Returns for how long a busy engine has made no step, not counting time that this process slept."""
        now = self._clock()
        if steps != self._steps or not busy or now - self._called > ASLEEP_SECONDS:
            self._moved = now
        self._called, self._steps = now, steps
        return now - self._moved
