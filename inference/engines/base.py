"""What every engine offers to the worker, and the ordered inbox through which other threads reach it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from inference.contract import Event, GenerationRequest

Emit = Callable[[list[Event]], None]

# What a model worker exits with when its engine gave up; the supervisor then starts a fresh one.
EXIT_ENGINE_FAILED = 70


class Engine(Protocol):
    """One model, several generations at once, one thread.

    Every request that was submitted and not dropped gets consecutive Deltas and then exactly one Ended. The
    ids of a Delta decode exactly to its text given the earlier ones; tokens whose text is not certain yet
    (half characters, the possible beginning of a stop string, `hold_back` characters for reply rules) come
    later or never.
    """

    slug: str
    name: str
    fingerprint: str  # weights, back end, precision: two workers with the same one give the same answer
    back_end: str  # what runs the network: "native-1a2b3c4d", "torch-2.13.0"
    context: int  # tokens, prompt and answer
    slots: int  # generations at once; more wait inside the engine

    @property
    def steps(self) -> int:
        """Moves on every engine step; standing still while `busy` means that the engine hangs."""

    @property
    def busy(self) -> bool:
        """Whether work is in flight. An idle engine's step counter may rest."""

    def figures(self) -> dict[str, int]:
        """Plain numbers for monitoring, from any thread (inference/figures.py names them).

        COUNTERS since the start, GAUGES now; what an engine cannot tell is left out.
        """

    def start(self, emit: Emit) -> None:
        """Start the thread. It calls `emit` once per step, for all generations; `emit` must not block."""

    def submit(self, request: GenerationRequest, emitted: Sequence[int]) -> None:
        """Answer `request`; `emitted` are the token ids that an earlier attempt logged: go on after them.

        From any thread. Problems with the content come back as Ended(FAILED), never as an exception. An
        earlier attempt that is still under way is dropped.
        """

    def cancel(self, generation_id: str) -> None:
        """End it with Ended(STOPPED) within one step, wherever it is. Unknown ids are ignored. Any thread."""

    def drop(self, generation_id: str) -> None:
        """Forget it without any event (fenced off or handed over). Any thread."""

    def stop(self) -> None:
        """End the thread. What is in flight gets no event: the worker has handed it over or is about to."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """Command: end with Ended(STOPPED)."""

    generation_id: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Command: forget without an event."""

    generation_id: str


Command = TypeVar("Command")


class Inbox(Generic[Command]):
    """Commands in the order given; many threads write, the engine's thread reads.

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
        """Until somebody put, woke or closed since the last wait, or `timeout` seconds have passed."""
        with self._changed:
            if not self._woken and not self.closed:
                self._changed.wait(timeout)
            self._woken = False
