"""The ordered inbox through which other threads give an engine its commands."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar


@dataclass(frozen=True, slots=True)
class Cancel:
    """Commands the engine to end a generation with Ended(STOPPED)."""

    generation_id: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Commands the engine to forget a generation without an event."""

    generation_id: str


Command = TypeVar("Command")


class Inbox(Generic[Command]):
    """Holds commands in the order given; many threads write, the engine's thread reads.

    One ordered queue instead of sets of flags: "drop the old attempt, submit the new" must not be reordered.
    """

    def __init__(self) -> None:
        self._commands: deque[Command] = deque()
        self._changed = threading.Condition()
        self._woken = False
        self.closed = False

    def __bool__(self) -> bool:
        return bool(self._commands)

    def put(self, command: Command) -> None:
        with self._changed:
            self._commands.append(command)
            self._woken = True
            self._changed.notify()

    def wake(self) -> None:
        """End the reader's wait without a command."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self.closed = self._woken = True
            self._changed.notify()

    def drain(self) -> list[Command]:
        with self._changed:
            taken = list(self._commands)
            self._commands.clear()
            return taken

    def wait(self, timeout: float | None = None) -> None:
        """Waits until a thread has put, woken or closed since the last wait, at most `timeout` seconds."""
        with self._changed:
            if not self._woken and not self.closed:
                self._changed.wait(timeout)
            self._woken = False
