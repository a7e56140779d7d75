"""Detects a web process that no longer works: its event loop reports to `up` through a pipe.

A request over HTTP cannot tell a busy server from a frozen one, so none is used. A full disk, or a database
that does not answer, does not stop the pulse. The clocks used here stop while the machine sleeps.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

BEAT_SECONDS = 0.5
STARTING_SECONDS = 120.0  # from the start of a process to its first beat
SLEPT_SECONDS = 2.0  # a check that is this late means that this process did not run, perhaps no process
PIPE_BYTES = 65536
PAGES = "pages"  # each page has an executor of its own, with one thread


# --- In the web process -----------------------------------------------------------------------------------


class Pool:
    """Counts the work given to the threads of one pool, and notes when they last finished any."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.waiting = 0
        self.moved = time.monotonic()

    def begin(self) -> None:
        with self.lock:
            if not self.waiting:
                self.moved = time.monotonic()
            self.waiting += 1

    def end(self) -> None:
        with self.lock:
            self.waiting -= 1
            self.moved = time.monotonic()


class Work:
    """Wraps one call for a thread. It ends when the thread finishes it, even if its reader has left."""

    __slots__ = ("begun", "ended", "func", "pool")

    def __init__(self, func: Callable[..., Any], pool: Pool) -> None:
        self.func, self.pool = func, pool
        self.begun = self.ended = False

    def __call__(self, *args: Any) -> Any:
        self.begun = True
        try:
            return self.func(*args)
        finally:
            self._end()

    def settled(self, future: Any) -> None:
        if future.cancelled() and not self.begun:
            self._end()  # cancelled before a thread took it up

    def _end(self) -> None:
        if not self.ended:
            self.ended = True
            self.pool.end()


class Pools:
    """Holds all pools of the web process. Sync code reaches a thread only by `run_in_executor`."""

    def __init__(self) -> None:
        self._pools: dict[Any, Pool] = {}

    def of(self, executor: Executor | None) -> Pool:
        one_thread = getattr(executor, "_max_workers", 0) == 1
        return self._pools.setdefault(PAGES if one_thread else id(executor), Pool())

    def stuck(self) -> float:
        """Returns the longest time, in seconds, in which a pool with waiting work finished nothing."""
        now = time.monotonic()
        return max((now - pool.moved for pool in [*self._pools.values()] if pool.waiting), default=0.0)

    def forgive(self, seconds: float) -> None:
        """Ignores a time in which this whole process did not run."""
        for pool in [*self._pools.values()]:
            pool.moved = min(pool.moved + seconds, time.monotonic())


def counting(base: type[Any], pools: Pools) -> type[Any]:
    """Returns a class of event loops that counts what it gives to threads."""

    class CountingLoop(base):  # type: ignore[misc]
        def run_in_executor(self, executor: Executor | None, func: Callable[..., Any], *args: Any) -> Any:
            work = Work(func, pools.of(executor))
            work.pool.begin()
            try:
                future = super().run_in_executor(executor, work, *args)
            except BaseException:
                work.pool.end()
                raise
            future.add_done_callback(work.settled)
            return future

    return CountingLoop


class Pulse:
    """Writes a beat into the pipe, with the seconds for which a pool has been stuck."""

    def __init__(self, pipe: int, pools: Pools) -> None:
        self.pipe, self.pools = pipe, pools
        self.beaten = time.monotonic()
        os.set_blocking(pipe, False)

    def beat(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        if now - self.beaten > SLEPT_SECONDS:
            self.pools.forgive(now - self.beaten)
        self.beaten = now
        with suppress(OSError):  # nobody reads any more: this process ends with its supervisor anyway
            os.write(self.pipe, f"{self.pools.stuck():.0f}\n".encode())
        loop.call_later(BEAT_SECONDS, self.beat, loop)


# --- In the supervisor ------------------------------------------------------------------------------------


@dataclass(slots=True)
class Watch:
    """Reads one process' pulse and says what is wrong with it."""

    loop_seconds: float
    pool_seconds: float
    pipe: int
    heard: float = field(default_factory=time.monotonic)
    looked: float = field(default_factory=time.monotonic)
    beaten: bool = False
    stuck: float = 0.0

    def trouble(self) -> str:
        """Returns why the process must be restarted, or "" while it works."""
        now = time.monotonic()
        if now - self.looked > SLEPT_SECONDS:
            self.heard += now - self.looked
        self.looked = now
        self._read(now)
        silent = now - self.heard
        if silent > (self.loop_seconds if self.beaten else max(STARTING_SECONDS, self.loop_seconds)):
            return f"its event loop has not run for {silent:.0f} s"
        if self.stuck > self.pool_seconds:
            return f"requests wait, and no thread has finished one for {self.stuck:.0f} s"
        return ""

    def close(self) -> None:
        os.close(self.pipe)

    def _read(self, now: float) -> None:
        try:
            beats = os.read(self.pipe, PIPE_BYTES)
        except BlockingIOError:
            return
        if beats:
            self.heard, self.beaten = now, True
            self.stuck = float(beats.split()[-1])


def pipe() -> tuple[int, int]:
    """Returns the supervisor's end, which never blocks, and the end that the web process inherits."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    return read, write
