"""Puts the progress of a fetch into words for operators: one line that is rewritten, or lines of a log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from inference.hub.progress import Progress, State

QUIET_SECONDS = 30.0  # between two plain lines, unless something else happens
STEP_PERCENT = 10


def describe_progress(progress: Progress) -> str:
    """Returns "hf:owner/name: 42 % of 2.7 GB, 31.0 MB/s, 50 s left"."""
    name = progress.name
    if progress.state is State.PLANNING:
        return f"{name}: asking the hub"
    if progress.state is State.WAITING:
        return f"{name}: another process is fetching it; waiting"
    if progress.state is State.CHECKING:
        return f"{name}: checking, {progress.percent} %"
    if progress.state is State.DONE:
        return f"{name}: complete ({size(progress.total)})" if progress.total else f"{name}: complete"
    if progress.state is State.FAILED:
        return progress.error
    left = progress.seconds_left
    rate = f", {size(int(progress.rate))}/s" if progress.rate else ""
    return f"{name}: {progress.percent} % of {size(progress.total)}{rate}" + (
        f", {duration(left)} left" if left is not None else ""
    )


def size(count: int) -> str:
    for unit, bytes_ in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= bytes_:
            return f"{count / bytes_:.1f} {unit}"
    return f"{count} bytes"


def duration(seconds: float) -> str:
    whole = int(seconds) + 1
    if whole < 120:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 7200 else f"{whole // 3600} h {whole % 3600 // 60} min"


class Lines:
    """Says each tenth, each change and the licence once, in lines of their own."""

    def __init__(self, say: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock = say, clock
        self._state: State | None = None
        self._tenth = -1
        self._at = float("-inf")
        self._licence = ""

    def __call__(self, progress: Progress) -> None:
        if progress.licence and progress.licence != self._licence:
            self._licence = progress.licence
            self._say(licence_line(progress))
        if progress.state is State.FAILED:
            return  # whoever fetches says its one line
        tenth = progress.percent // STEP_PERCENT
        changed = progress.state is not self._state or tenth != self._tenth
        if changed or self._clock() - self._at >= QUIET_SECONDS:
            self._state, self._tenth, self._at = progress.state, tenth, self._clock()
            self._say(describe_progress(progress))


def licence_line(progress: Progress) -> str:
    return f"{progress.name}: its licence is {progress.licence}; who uses the model agrees to it"


class Terminal:
    """Rewrites one line on a terminal; into a file or a pipe it writes lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines = Lines(self._put)
        self._licence = ""

    def __call__(self, progress: Progress) -> None:
        if not self._stream.isatty():
            self._lines(progress)
            return
        if progress.licence and progress.licence != self._licence:
            self._licence = progress.licence
            self._rewrite(licence_line(progress), end="\n")
        if progress.state is State.FAILED:
            self._rewrite("", end="")
            return
        self._rewrite(describe_progress(progress), end="\n" if progress.state is State.DONE else "")

    def _rewrite(self, line: str, *, end: str) -> None:
        self._stream.write(f"\r\x1b[K{line}{end}")
        self._stream.flush()

    def _put(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()
