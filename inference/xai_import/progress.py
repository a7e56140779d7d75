"""Reports the progress of an import: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from typing import TextIO

EVERY_TERMINAL, EVERY_LOG = 0.2, 15.0  # seconds
WIDTH = 10  # characters of the bar; all of it fits into 80


class Progress:
    """Counts bytes and files of one phase after another. Any thread may add bytes."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._terminal = stream is not None and stream.isatty()
        self._lock = threading.Lock()
        self.begin("", 0, 0)

    def say(self, line: str) -> None:
        """Prints a permanent line."""
        if self._stream is not None:
            self._stream.write(f"{line}\n")
            self._stream.flush()

    def begin(self, what: str, files: int, total: int) -> None:
        """Begins a phase of `total` bytes in `files` files."""
        self._what, self._files, self._total = what, files, total
        self._done = 0
        self._files_done: set[str] = set()
        self._begun = self._shown = self._clock()

    def bytes(self, count: int) -> None:
        with self._lock:
            self._done += count
            every = EVERY_TERMINAL if self._terminal else EVERY_LOG
            if self._clock() - self._shown >= every:
                self._show()

    def file(self, name: str) -> None:
        """Counts a file once, however often it is processed."""
        with self._lock:
            self._files_done.add(name)

    def end(self) -> None:
        with self._lock:
            self._show()
            if self._terminal and self._stream is not None:
                self._stream.write("\n")
                self._stream.flush()

    def line(self) -> str:
        """Returns files, GB, GB/s and time left, as of now."""
        seconds = max(self._clock() - self._begun, 1e-9)
        rate = self._done / seconds
        left = f"{duration((self._total - self._done) / rate)} left" if rate else "time left unknown"
        if self._done >= self._total:
            left = f"done in {duration(seconds)}"
        return (
            f"{self._what}: {len(self._files_done)}/{self._files} files, "
            f"{self._done / 1e9:.2f}/{self._total / 1e9:.2f} GB, {rate / 1e9:.2f} GB/s, {left}"
        )

    def _show(self) -> None:
        self._shown = self._clock()
        if self._stream is None:
            return
        if self._terminal:
            full = WIDTH * self._done // max(self._total, 1)
            shown = f"[{'#' * full}{'.' * (WIDTH - full)}] {self.line()}"
            self._stream.write(f"\r\x1b[K{shown[: shutil.get_terminal_size().columns - 1]}")
        else:
            self._stream.write(f"{self.line()}\n")
        self._stream.flush()


def duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
