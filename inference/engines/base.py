"""Defines the interface that every engine offers to a model worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from inference.contract import Capabilities, Event, GenerationRequest, Piece

Emit = Callable[[list[Event]], None]


class Engine(Protocol):
    """An engine runs one model in one thread and makes several generations at once.

    Every request that was submitted and not dropped gets consecutive Deltas and then exactly one Ended; an
    engine whose model is on a server may give it back instead (GivenBack). The ids of a Delta decode exactly
    to its text given the earlier ones; tokens whose text is not certain yet (half characters, the possible
    beginning of a stop string, `hold_back` characters for reply rules) come later or never.
    """

    slug: str
    name: str
    fingerprint: str  # weights, back end, precision: two workers with the same one give the same answer
    back_end: str  # what runs the network: "native-1a2b3c4d", "torch-2.13.0"
    slots: int  # generations at once; more wait inside the engine

    @property
    def capabilities(self) -> Capabilities:
        """Returns what the engine can do with its model. It may change while the engine runs."""

    @property
    def context(self) -> int:
        """Returns the longest prompt with its answer, in tokens. It may change while the engine runs."""

    @property
    def steps(self) -> int:
        """Counts engine steps; an engine whose count stands still while `busy` hangs."""

    @property
    def busy(self) -> bool:
        """Returns whether work is in flight. The step counter of an idle engine may stand still."""

    def metrics(self) -> dict[str, int]:
        """Returns plain numbers for monitoring, from any thread (inference/wire/metrics.py names them).

        COUNTERS since the start, GAUGES now; an engine leaves out what it does not measure.
        """

    def start(self, emit: Emit) -> None:
        """Start the thread. It calls `emit` once per step, for all generations; `emit` must not block."""

    @property
    def problem(self) -> str:
        """Returns the ErrorCode that says why the engine cannot answer now, "" if it can.

        A worker claims nothing while there is one, and tells people.
        """

    def submit(
        self, request: GenerationRequest, emitted: Sequence[int], *, logged: Sequence[Piece] = ()
    ) -> None:
        """Answer `request`; continue after what earlier attempts logged.

        `emitted` are the token ids of `logged`; an engine without ids uses the texts.

        From any thread. Problems with the content come back as Ended(FAILED), never as an exception. An
        earlier attempt that is still under way is dropped.
        """

    def cancel(self, generation_id: str) -> None:
        """End a generation with Ended(STOPPED) within one step. Unknown ids are ignored. From any thread."""

    def drop(self, generation_id: str) -> None:
        """Forget a generation without any event (fenced off or handed over). From any thread."""

    def stop(self) -> None:
        """End the thread. Work in flight gets no event: the worker has handed it over or is about to."""
