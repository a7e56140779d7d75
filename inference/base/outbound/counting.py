"""Counts requests by purpose and outcome. Processes register where to: this layer knows no metrics."""

from __future__ import annotations

from collections.abc import Callable

COMPLETE, CLOSED = "complete", "closed"
OUTCOMES = (COMPLETE, CLOSED, "refused", "limit", "unreachable", "bad_answer")
Counter = Callable[[str, str], None]
_counters: list[Counter] = []


def count_with(counter: Counter) -> Callable[[], None]:
    """Calls `counter(purpose, outcome)` once at the end of every request; it must not raise.

    Returns a function that ends this.
    """
    _counters.append(counter)
    return lambda: _counters.remove(counter)


class Ending:
    """Counts the end of one request, once."""

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self._counted = False

    def count(self, outcome: str) -> None:
        if not self._counted:
            self._counted = True
            for counter in _counters:
                counter(self._purpose, outcome)
