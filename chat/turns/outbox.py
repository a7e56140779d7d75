"""Stores what a socket has still to send: bounded, and in order for each reply (rule 4)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from inference.contract import Piece
from inference.wire.log import End

MERGE_CHARACTERS = 8000  # at most 32 kB in UTF-8
OUTBOX_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """Holds a reply's position in the queue: 1 is next, 0 means that nobody runs the model. `estimate` is in
    seconds, None if unknown."""

    position: int
    estimate: int | None


Item = Piece | End | QueuePosition


class Outbox:
    """Holds what one socket has still to send, in order for each generation; pieces merge while they wait."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self.overflowed = False
        self._items: dict[str, list[Item]] = {}
        self._characters = 0

    def put(self, generation_id: str, item: Item) -> None:
        if self.overflowed:
            return  # the socket is closed after the send in progress, or when its ping gets no answer
        items = self._items.setdefault(generation_id, [])
        if isinstance(item, Piece):
            self._characters += len(item.text)
            if self._characters > OUTBOX_CHARACTERS:
                self.overflowed = True
            waiting = items[-1] if items else None
            if (
                isinstance(waiting, Piece)
                and (waiting.seq, waiting.kind, waiting.run) == (item.after, item.kind, item.run)
                and len(waiting.text) + len(item.text) < MERGE_CHARACTERS
            ):
                duration = waiting.duration_ms + item.duration_ms
                items[-1] = replace(
                    waiting, seq=item.seq, text=waiting.text + item.text, duration_ms=duration
                )
                self.ready.set()
                return
        items.append(item)
        self.ready.set()

    def take(self) -> list[tuple[str, Item]]:
        items, self._items = self._items, {}
        self._characters = 0
        self.ready.clear()
        return [(generation_id, item) for generation_id, waiting in items.items() for item in waiting]
