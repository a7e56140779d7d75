"""Says how far a fetch is, for the terminal, the log and the page of staff."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum

from inference.base.lines import from_data, to_data

SECONDS = 0.5  # between two reports
WINDOW_SECONDS = 10.0  # over which the rate is measured


class State(StrEnum):
    """Names what a fetch is doing."""

    PLANNING = "planning"
    WAITING = "waiting"  # for another process that fetches the same model
    FETCHING = "fetching"
    CHECKING = "checking"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Progress:
    """One report. `rate`: bytes a second, 0 while unknown."""

    name: str  # hf:owner/name
    state: State
    done: int = 0  # bytes
    total: int = 0
    rate: float = 0.0
    licence: str = ""
    context: int = 0  # tokens with which the model will be served; 0 while unknown
    error: str = ""

    def to_fields(self) -> dict[str, str]:
        """Returns this as Redis stores it, with what pages translate the error from."""
        told = {each.name: str(getattr(self, each.name)) for each in fields(self)}
        return {**told, "error_line": json.dumps(to_data(self.error))}

    @classmethod
    def from_fields(cls, said: Mapping[str, str]) -> Progress | None:
        """Reads what `to_fields` wrote, also that of another version; None for anything else."""
        try:
            return cls(
                said["name"],
                State(said["state"]),
                done=int(said.get("done", 0)),
                total=int(said.get("total", 0)),
                rate=float(said.get("rate", 0)),
                licence=said.get("licence", ""),
                context=int(said.get("context", 0)),
                error=from_data(said.get("error", ""), json.loads(said.get("error_line", "null"))),
            )
        except (KeyError, ValueError, RecursionError):
            return None

    @property
    def is_active(self) -> bool:
        return self.state not in (State.DONE, State.FAILED)

    @property
    def percent(self) -> int:
        return int(100 * self.done / self.total) if self.total else 0

    @property
    def seconds_left(self) -> float | None:
        return (self.total - self.done) / self.rate if self.rate > 0 and self.total else None


Report = Callable[[Progress], None]


def ignore(progress: Progress) -> None:
    """Reports to nobody."""


@dataclass
class Meter:
    """Counts bytes and reports at most every SECONDS, and each change of the state at once."""

    report: Report
    progress: Progress
    clock: Callable[[], float] = time.monotonic
    _seen: deque[tuple[float, int]] = field(default_factory=deque)
    _last: float = float("-inf")

    def turn_to(
        self, state: State, *, done: int = 0, total: int | None = None, licence: str = "", context: int = 0
    ) -> None:
        """Begins another phase; what is not given stays as it is."""
        self._seen.clear()
        before = self.progress
        self.progress = replace(
            before,
            state=state,
            done=done,
            total=before.total if total is None else total,
            rate=0.0,
            licence=licence or before.licence,
            context=context or before.context,
        )
        self._say()

    def add(self, count: int) -> None:
        """Counts bytes that arrived; a negative number takes back what has to be fetched again."""
        self.progress = replace(self.progress, done=self.progress.done + count)
        now = self.clock()
        if now - self._last < SECONDS:
            return
        self._seen.append((now, self.progress.done))
        while len(self._seen) > 2 and now - self._seen[0][0] > WINDOW_SECONDS:
            self._seen.popleft()
        since, then = self._seen[0]
        rate = (self.progress.done - then) / (now - since) if now > since else 0.0
        self.progress = replace(self.progress, rate=max(0.0, rate))
        self._say()

    def _say(self) -> None:
        self._last = self.clock()
        self.report(self.progress)
