"""Listens to an engine's thread and waits for what it emits."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import Any

from inference.contract import Ended
from tests.inference.engine_fakes import outcome

SOON = 10  # seconds; how long a test waits for what takes milliseconds


class Listener:
    """Takes events from the engine's thread and waits for ends."""

    def __init__(self) -> None:
        self.events: defaultdict[str, list[Any]] = defaultdict(list)
        self.calls: list[list[Any]] = []
        self.threads: set[int] = set()
        self._news = threading.Condition()

    def __call__(self, events: Any) -> None:
        with self._news:
            self.calls.append(events)
            self.threads.add(threading.current_thread().name)
            for event in events:
                self.events[event.generation_id].append(event)
            self._news.notify_all()

    def until(self, condition: Any) -> None:
        with self._news:
            assert self._news.wait_for(lambda: condition(self.events), SOON), dict(self.events)

    def end(self, name: str = "a", after: int = 0) -> Any:
        self.until(lambda events: events[name] and isinstance(events[name][-1], Ended))
        return outcome(self.events[name], after)


def unexpected(code: Any) -> None:
    raise AssertionError(f"the engine gave up with {code}")
