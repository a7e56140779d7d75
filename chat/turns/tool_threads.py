"""Counts the threads of this process that run tools, and ends the process when only lost ones are left.

A thread cannot be ended from outside, so one whose tool does not return is lost to the process. The process
ends as soon as it runs nothing else, and is started again (grokweb/supervisor.py) with all its threads.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from inference.base import exit_status

logger = logging.getLogger("grokweb.tools")


class ToolThreads:
    """The threads of this process that carry out calls, by threading.get_ident()."""

    def __init__(self) -> None:
        self._busy: set[int] = set()
        self._lost: set[int] = set()
        self._lock = threading.Lock()  # held while the process ends, so that no call is begun then

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Counts this thread as busy, from before its call is claimed until the result is stored."""
        thread = threading.get_ident()
        with self._lock:
            self._busy.add(thread)
        try:
            yield
        finally:
            with self._lock:
                self._busy.discard(thread)
                self._lost.discard(thread)
                self._end_if_only_lost_are_left()

    def lose(self, thread: int) -> None:
        """Notes that the call of a thread was given up, unless it has returned meanwhile."""
        with self._lock:
            if thread in self._busy:
                self._lost.add(thread)
                self._end_if_only_lost_are_left()

    def _end_if_only_lost_are_left(self) -> None:
        if self._lost and self._lost == self._busy:
            logger.critical("only tools that do not return run here: this process ends")
            os._exit(exit_status.ENGINE_FAILED)


THREADS = ToolThreads()
