"""Places in front of a pool of threads: one person holds at most half of them, and who waits holds none."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

RETRY_AFTER = 2
WAITING_IN_ALL = 2000


class Crowded(Exception):
    """Too much of one person waits already; nothing was put into the queue."""


class Places:
    """`total` places; each key (a person, else an address) holds half at most. Waiting keys take turns.

    Of one event loop, without locks: nothing here awaits between a look and a change.
    """

    def __init__(self, total: int, waiting_each: int) -> None:
        self.total, self.each = total, max(1, total // 2)
        self.waiting_each = waiting_each
        self._waiting = 0
        self._held: Counter[str] = Counter()
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def one(self, key: str) -> AsyncIterator[None]:
        """A place for a moment. Raises Crowded."""
        await self.take(key)
        try:
            yield
        finally:
            self.give_back(key)

    async def take(self, key: str) -> None:
        if self._is_free_for(key) and not self._somebody_can_go():
            self._held[key] += 1
            return
        queue = self._queues.setdefault(key, deque())
        if len(queue) >= self.waiting_each or self._waiting >= WAITING_IN_ALL:
            if not queue:
                del self._queues[key]
            raise Crowded
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        self._waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(key)  # its turn came at the same moment
            else:
                self._leave(key, turn)
            raise
        finally:
            self._waiting -= 1

    def give_back(self, key: str) -> None:
        self._held[key] -= 1
        if self._held[key] <= 0:
            del self._held[key]
        self._let_in()

    def _is_free_for(self, key: str) -> bool:
        return self._held.total() < self.total and self._held[key] < self.each

    def _somebody_can_go(self) -> bool:
        return any(self._is_free_for(key) for key in self._queues)

    def _let_in(self) -> None:
        while (key := next((key for key in self._queues if self._is_free_for(key)), None)) is not None:
            turn = self._queues[key].popleft()
            if self._queues[key]:
                self._queues.move_to_end(key)
            else:
                del self._queues[key]
            if not turn.done():
                self._held[key] += 1
                turn.set_result(None)

    def _leave(self, key: str, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(key)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._queues[key]
