"""Makes titles of conversations in a model worker whose slots no reply needs.

A title is requested right after its reply has ended: the engine still caches the conversation, so that it
reads one short question and writes a few tokens. At most one is made at a time, and it is given up as soon as
a reply begins. It has no row, no lease and no place in the queue: a lost title is not made again.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import redis

from inference.contract import TITLE_TASK, Delta, Ended, Event, Kind, Reason
from inference.engines.base import Engine
from inference.text.title import PREFIX, ROOM, title_request
from inference.wire import scripts
from inference.worker.held import Held

logger = logging.getLogger("grokweb.titles")

EXPIRES_SECONDS = 600  # unless the chat worker fetches it sooner


@dataclass
class Title:
    """A title that the engine is making."""

    generation_id: str  # of the reply it follows
    words: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return PREFIX + self.generation_id


class Titles:
    """Slots call `offer`, the engine's thread `take`, the writer's thread `publish`."""

    def __init__(
        self, client: redis.Redis, engine: Engine, publish: Callable[[str, list[Any]], None]
    ) -> None:
        self._client = client
        self._engine = engine
        self._send = publish
        self._lock = threading.Lock()
        self._current: Title | None = None
        self._made: queue.SimpleQueue[Title] = queue.SimpleQueue()

    def offer(self, held: Held) -> None:
        """Begins the title of a reply that has ended whole, if the context has room for the question."""
        ended = held.ended
        if ended is None or ended.reason not in (Reason.STOP, Reason.LENGTH):
            return
        if ended.prompt_tokens + ended.seq + ROOM > self._engine.context:
            return
        title = Title(held.request.generation_id)
        with self._lock:
            if self._current is not None:
                return
            self._current = title
        answer = "".join(piece.text for piece in tuple(held.pieces) if piece.kind is Kind.TEXT)
        least = next(iter(self._engine.capabilities.efforts), "")
        self._engine.submit(title_request(held.request, answer, least), ())
        if self._current is not title:  # a reply has begun meanwhile
            self._engine.drop(title.id)

    def give_way(self) -> None:
        """Gives the title up, because a reply begins."""
        with self._lock:
            title, self._current = self._current, None
        if title is not None:
            self._engine.drop(title.id)
            logger.info("title given up", extra={"generation": title.generation_id})

    def take(self, events: list[Event]) -> list[Event]:
        """Consumes the events of titles and returns the others. For the engine's thread; never blocks."""
        for event in events:
            title = self._current
            if title is None or event.generation_id != title.id:
                continue  # a reply's, or of a title that was given up
            if isinstance(event, Ended):
                self._end(title, event)
            elif isinstance(event, Delta) and event.piece.kind is Kind.TEXT:
                title.words.append(event.piece.text)
        return [event for event in events if not event.generation_id.startswith(PREFIX)]

    def _end(self, title: Title, ended: Ended) -> None:
        """Discards a title that the limit cut or a reply rule forbids."""
        with self._lock:
            if self._current is title:
                self._current = None
        about = {"generation": title.generation_id, "reason": str(ended.reason), "tokens": ended.seq}
        logger.info("title ended", extra=about)
        if ended.reason == Reason.STOP:
            self._made.put(title)

    def publish(self) -> None:
        """Sends finished titles to the chat worker. A redis.RedisError or OperationalError loses a title."""
        while True:
            try:
                title = self._made.get_nowait()
            except queue.Empty:
                return
            self._client.set(key(title.generation_id), "".join(title.words), ex=EXPIRES_SECONDS)
            self._send(TITLE_TASK, [title.generation_id])


def key(generation_id: str) -> str:
    return scripts.key("title", generation_id)


def fetch(client: redis.Redis, generation_id: str) -> str:
    """Returns the model's words and deletes them; empty if there are none."""
    return cast("str | None", client.getdel(key(generation_id))) or ""
