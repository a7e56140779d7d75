"""Titles of conversations, made by a model worker when nobody wants it for a reply.

A title is asked for where the reply has just ended: the engine still holds the conversation, so that it reads
one short question and writes a few tokens. At most one is under way, and it ends without a word as soon as a
reply begins. It has no row, no lease and no place in the queue: what is lost is not done.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import redis

from inference import scripts
from inference.contract import TITLE_TASK, Delta, Ended, Event, Reason
from inference.engines.base import Engine
from inference.text.title import PREFIX, ROOM, title_request
from inference.writer import Held

logger = logging.getLogger("grokweb.titles")

KEPT_SECONDS = 600  # until the chat worker has fetched it


@dataclass
class Title:
    """One under way."""

    generation_id: str  # of the reply it follows
    words: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        return PREFIX + self.generation_id


class Titles:
    """Slots offer, the engine's thread takes, the writer's thread tells."""

    def __init__(
        self, client: redis.Redis, engine: Engine, publish: Callable[[str, list[Any]], None]
    ) -> None:
        self._client = client
        self._engine = engine
        self._publish = publish
        self._lock = threading.Lock()
        self._current: Title | None = None
        self._made: queue.SimpleQueue[Title] = queue.SimpleQueue()

    def offer(self, held: Held) -> None:
        """A reply has ended and a slot is free. None for a broken answer, or without room for a question."""
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
        answer = "".join(piece.text for piece in tuple(held.pieces))
        self._engine.submit(title_request(held.request, answer), ())
        if self._current is not title:  # a reply has begun meanwhile
            self._engine.drop(title.id)

    def give_way(self) -> None:
        """A reply begins."""
        with self._lock:
            title, self._current = self._current, None
        if title is not None:
            self._engine.drop(title.id)
            logger.info("title given up", extra={"generation": title.generation_id})

    def take(self, events: list[Event]) -> list[Event]:
        """Keeps what belongs to titles, gives back the rest. From the engine's thread; never waits."""
        for event in events:
            title = self._current
            if title is None or event.generation_id != title.id:
                continue  # a reply's, or of a title that was given up
            if isinstance(event, Delta):
                title.words.append(event.text)
            else:
                self._end(title, event)
        return [event for event in events if not event.generation_id.startswith(PREFIX)]

    def _end(self, title: Title, ended: Ended) -> None:
        """One that the limit cut, or that a rule forbids, is none."""
        with self._lock:
            if self._current is title:
                self._current = None
        about = {"generation": title.generation_id, "reason": str(ended.reason), "tokens": ended.seq}
        logger.info("title ended", extra=about)
        if ended.reason == Reason.STOP:
            self._made.put(title)

    def tell(self) -> None:
        """Brings what is made to the chat worker. Raises redis.RedisError or OperationalError: it is lost."""
        while True:
            try:
                title = self._made.get_nowait()
            except queue.Empty:
                return
            self._client.set(key(title.generation_id), "".join(title.words), ex=KEPT_SECONDS)
            self._publish(TITLE_TASK, [title.generation_id])


def key(generation_id: str) -> str:
    return scripts.key("title", generation_id)


def fetch(client: redis.Redis, generation_id: str) -> str:
    """The model's words, once; empty if there are none."""
    return cast("str | None", client.getdel(key(generation_id))) or ""
