"""Drives an OpenAIEngine in a test: submits requests and collects each reply's text and end."""

from __future__ import annotations

import threading
import time
from typing import Any

from inference.contract import Delta, Ended, Event, GenerationRequest, GivenBack, Piece, Sampling
from inference.engines.openai import OpenAIEngine
from inference.servers.address import ServedModel
from inference.servers.client import Timeouts
from inference.servers.replicas import Replica
from tests.inference.servers.fake_server import MODEL

SECONDS = 20.0  # for one reply; far above what any takes
PATIENT = Timeouts(connect=10.0, first=60.0, next=30.0, probe=30.0)
QUICK = Timeouts(connect=5.0, first=5.0, next=1.0, probe=5.0, backoff=(0.01, 0.01, 0.01))


def request(text: str = "Hi", *, generation_id: str = "g1", **more: Any) -> GenerationRequest:
    values: dict[str, Any] = {
        "attempt": 1, "model": MODEL, "messages": ({"role": "user", "content": text},), "max_new_tokens": 100,
        "seed": 7, "sampling": Sampling(temperature=0.5), "cache_key": "c1", "user_key": "u1", **more,
    }  # fmt: skip
    return GenerationRequest(generation_id, **values)


class Driver:
    """An engine that runs; `with` starts and stops it."""

    def __init__(
        self,
        *bases: str,
        model: str = MODEL,
        timeouts: Timeouts = QUICK,
        slots: int = 4,
        context: int = 4096,
    ) -> None:
        self.exits: list[int] = []
        self.engine = OpenAIEngine(
            ServedModel(bases, model),
            key="secret",
            slots=slots,
            context=context,
            timeouts=timeouts,
            exit=self.exits.append,
        )
        self.events: dict[str, list[Event]] = {}
        self.times: dict[str, float] = {}  # of the first event, by time.perf_counter()
        self._changed = threading.Condition()

    def __enter__(self) -> Driver:
        self.engine.start(self._take)
        return self

    def __exit__(self, *_: Any) -> None:
        self.engine.stop()

    def _take(self, events: list[Event]) -> None:
        with self._changed:
            for each in events:
                self.events.setdefault(each.generation_id, []).append(each)
                self.times.setdefault(each.generation_id, time.perf_counter())
            self._changed.notify_all()

    def ask(self, asked: GenerationRequest, logged: tuple[Piece, ...] = ()) -> tuple[str, Ended]:
        self.engine.submit(asked, (), logged=logged)
        return self.result(asked.generation_id)

    def result(self, generation_id: str = "g1") -> tuple[str, Ended]:
        """Waits for a reply's end; returns its text and the end."""
        end = self.wait_for(generation_id, lambda events: any(isinstance(each, Ended) for each in events))[-1]
        assert isinstance(end, Ended)
        return self.text(generation_id), end

    def give_back(self, generation_id: str = "g1") -> GivenBack:
        """Waits until the engine gives a reply back."""
        last = self.wait_for(generation_id, lambda events: events and not isinstance(events[-1], Delta))[-1]
        assert isinstance(last, GivenBack)
        return last

    def text(self, generation_id: str = "g1") -> str:
        pieces = [each.piece for each in self.events.get(generation_id, []) if isinstance(each, Delta)]
        for before, after in zip(pieces, pieces[1:], strict=False):
            assert after.after == before.seq
        return "".join(piece.text for piece in pieces)

    def wait_for(self, generation_id: str, holds: Any) -> list[Event]:
        with self._changed:
            assert self._changed.wait_for(lambda: holds(self.events.get(generation_id, [])), SECONDS)
            return self.events[generation_id]

    def replicas(self) -> tuple[Replica, ...]:
        assert self.engine.pool
        return self.engine.pool.replicas.all

    def replica(self, number: int) -> Replica:
        return self.replicas()[number]

    def wait_until(self, holds: Any) -> None:
        """Waits for a state that no event announces."""
        with self._changed:
            for _ in range(int(SECONDS / 0.05)):
                if holds():
                    return
                self._changed.wait(0.05)
        raise AssertionError("it did not happen in time")
