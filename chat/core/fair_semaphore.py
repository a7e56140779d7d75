"""A fair semaphore in front of a pool of threads: a key holds at most half of it, waiting keys take turns."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

RETRY_AFTER = 2
MAX_WAITING = 2000


class QueueIsFull(Exception):
    """Raised when too many requests of one key wait already; this one was not queued."""


class FairSemaphore:
    """Counts `total` slots; each key (a user, else an address) holds half of them at most.

    It belongs to one event loop and needs no lock: nothing awaits between reading and changing its state.
    """

    def __init__(self, total: int, max_waiting_per_key: int) -> None:
        self.total, self.max_per_key = total, max(1, total // 2)
        self.max_waiting_per_key = max_waiting_per_key
        self._waiting = 0
        self._held: Counter[str] = Counter()
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[None]:
        """Holds a slot for the duration of a block. Raises QueueIsFull."""
        await self.acquire(key)
        try:
            yield
        finally:
            self.release(key)

    async def acquire(self, key: str) -> None:
        if self._has_slot_for(key) and not self._is_anyone_ready():
            self._held[key] += 1
            return
        queue = self._queues.setdefault(key, deque())
        if len(queue) >= self.max_waiting_per_key or self._waiting >= MAX_WAITING:
            if not queue:
                del self._queues[key]
            raise QueueIsFull
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        self._waiting += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(key)  # it was woken at the same moment
            else:
                self._dequeue(key, turn)
            raise
        finally:
            self._waiting -= 1

    def release(self, key: str) -> None:
        self._held[key] -= 1
        if self._held[key] <= 0:
            del self._held[key]
        self._wake_next()

    def _has_slot_for(self, key: str) -> bool:
        return self._held.total() < self.total and self._held[key] < self.max_per_key

    def _is_anyone_ready(self) -> bool:
        return any(self._has_slot_for(key) for key in self._queues)

    def _wake_next(self) -> None:
        while (key := next((key for key in self._queues if self._has_slot_for(key)), None)) is not None:
            turn = self._queues[key].popleft()
            if self._queues[key]:
                self._queues.move_to_end(key)
            else:
                del self._queues[key]
            if not turn.done():
                self._held[key] += 1
                turn.set_result(None)

    def _dequeue(self, key: str, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(key)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._queues[key]
