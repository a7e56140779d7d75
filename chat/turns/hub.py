"""The hub: the one reader of token logs in each web process; it fills the outboxes of sockets (rule 4).

Tokens never pass through a channel layer: it drops silently when full. The hub blocks in one XREAD over every
watched log and its own wake key; a newcomer is caught up by XRANGE between two reads, so nothing is missed or
doubled. A socket that is slow gets longer pieces; others never wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from math import ceil
from typing import Any
from weakref import WeakKeyDictionary

import redis.asyncio as aioredis
from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import connection
from django.db.models.functions import Now
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig

from chat.turns import redis_client, served_models
from chat.turns.models import Generation
from chat.turns.outbox import Item, Outbox, QueuePosition
from chat.turns.parts import stretches
from inference.contract import Piece, Reason
from inference.wire import log as token_log
from inference.wire import scripts
from inference.wire.log import End

logger = logging.getLogger("grokweb.hub")

# Pause after a delivery, so that entries of many logs are read together and go out as one frame a reply. Ten
# times a second still looks like flowing text; nobody waits that long for a first token.
GATHER_SECONDS, GATHER_FIRST_SECONDS = 0.1, 0.02
BLOCK_MS = 5000
SWITCH_SECONDS = 0.0005
POSITIONS_SECONDS = 1.0
ENDS_SECONDS = 5.0  # between checks for replies whose end did not come through their log
SETTLED_SECONDS = 2  # an end settled before that no longer comes through its log


@dataclass
class Watched:
    """Holds the outboxes of the sockets that follow one log, and what they were sent of it."""

    model: str
    key: str  # of its log
    outboxes: set[Outbox] = field(default_factory=set)
    position: str = "0-0"  # stream id up to which everything was delivered
    queue_position: QueuePosition | None = None
    is_later_step: bool = False  # it may wait for tools, for minutes: nobody hurries for its first token

    @property
    def started(self) -> bool:
        return self.position != "0-0"


class Hub:
    def __init__(self) -> None:
        # The event loop waits this long for the lock of the interpreter whenever a database thread computes:
        # with Python's 5 ms a first token took 1 to 4 s when 100 people asked within 5 s, with 0.5 ms 0.1 s.
        sys.setswitchinterval(SWITCH_SECONDS)
        self._redis = aioredis.Redis.from_url(
            settings.REDIS_URL,
            decode_responses=True,
            socket_timeout=BLOCK_MS / 1000 + 5,
            # With them redis-py 8 hands out connections that a restart of Redis has closed.
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
        )
        self._wake_key = scripts.key("wake", uuid.uuid4().hex)
        self._wake_id = "0-0"
        self._logs: dict[str, Watched] = {}
        self._newcomers: list[tuple[Outbox, str, str, int, int, int]] = []
        self._reading = False
        self._called = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def watch(
        self, outbox: Outbox, generation_id: str, model: str, after: int, run: int = 0, step: int = 0
    ) -> None:
        """Puts a step of a reply into the outbox from token number `after` of a run on, then live, to its
        end. From its beginning if it is in another run by now."""
        self._newcomers.append((outbox, generation_id, model, after, run, step))
        if not self._tasks:
            works = (self._run(), self._send_positions(), self._send_lost_ends())
            self._tasks = [asyncio.create_task(work) for work in works]
        self._wake()

    def leave(self, outbox: Outbox) -> None:
        self._newcomers = [one for one in self._newcomers if one[0] is not outbox]
        for generation_id in [g for g, watched in self._logs.items() if outbox in watched.outboxes]:
            watched = self._logs[generation_id]
            watched.outboxes.discard(outbox)
            if not watched.outboxes:
                del self._logs[generation_id]  # the read that still has it is harmless

    async def close(self) -> None:
        tasks, self._tasks = set(self._tasks), []
        while tasks:  # once is not enough: Python 3.11's wait_for, below redis-py, can swallow a cancellation
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=0.2)
        await self._redis.aclose()

    # --- reading ------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        """Ends the blocking read, or the pause after one, so that the set of logs can change."""
        self._called.set()
        if self._reading:
            self._reading = False  # once is enough until the next read
            asyncio.get_running_loop().create_task(self._poke())

    async def _poke(self) -> None:
        for _ in range(3):  # unheard, a newcomer would wait for BLOCK_MS; without Redis the read fails anyway
            with contextlib.suppress(RedisError, OSError):
                pipe = self._redis.pipeline(transaction=False)
                pipe.xadd(self._wake_key, {"w": 1}, maxlen=1, approximate=False)
                pipe.expire(self._wake_key, 600)
                await pipe.execute()
                return
            await asyncio.sleep(0.1)

    async def _run(self) -> None:
        while True:
            try:
                self._called.clear()
                while self._newcomers:
                    await self._admit(*self._newcomers.pop(0))
                if await self._read():
                    await self._gather()
            except (RedisError, OSError) as error:
                logger.warning("redis: %s; positions are kept", error)
                await asyncio.sleep(0.3)
            except Exception:
                # The hub serves every socket of this process: one bad entry must not end it.
                logger.exception("hub")
                await asyncio.sleep(0.3)

    async def _gather(self) -> None:
        awaited = any(not each.started and not each.is_later_step for each in self._logs.values())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GATHER_FIRST_SECONDS if awaited else GATHER_SECONDS):
                await self._called.wait()

    async def _admit(
        self, outbox: Outbox, generation_id: str, model: str, after: int, run: int, step: int
    ) -> None:
        """Catches a newcomer up to where the hub is, then lets it follow. Runs between two reads."""
        try:
            entries: Any = await self._redis.xrange(token_log.key(generation_id))
        except (RedisError, OSError):
            self._newcomers.append((outbox, generation_id, model, after, run, step))
            raise
        watched = self._logs.get(generation_id)
        if watched is None:
            key = token_log.key(generation_id)
            watched = self._logs[generation_id] = Watched(model, key, is_later_step=step > 0)
            watched.position = entries[-1][0] if entries else "0-0"
        known = _id(watched.position)
        items = [token_log.parse(*entry) for entry in entries if _id(entry[0]) <= known]
        for item in _from(items, after if items and items[-1].run == run else 0):
            outbox.put(generation_id, item)
        if items and isinstance(items[-1], End):
            if not watched.outboxes:
                del self._logs[generation_id]
            return
        watched.outboxes.add(outbox)
        if watched.queue_position is not None and not watched.started:
            outbox.put(generation_id, watched.queue_position)

    async def _read(self) -> bool:
        streams = {watched.key: watched.position for watched in self._logs.values()}
        streams[self._wake_key] = self._wake_id
        if self._newcomers:
            return False
        self._reading = True
        try:
            answer: Any = await self._redis.xread(streams, block=BLOCK_MS)  # type: ignore[arg-type]
        finally:
            self._reading = False
        delivered = False
        for name, entries in answer or []:
            if name == self._wake_key:
                self._wake_id = entries[-1][0]
            else:
                delivered = True
                generation_id = name.rpartition(":")[2]
                for entry_id, fields in entries:
                    self._deliver(generation_id, entry_id, token_log.parse(entry_id, fields))
        return delivered

    def _deliver(self, generation_id: str, entry_id: str, item: Item) -> None:
        watched = self._logs.get(generation_id)
        if watched is None:
            return
        watched.position = entry_id
        for outbox in watched.outboxes:
            outbox.put(generation_id, item)
        if isinstance(item, End):
            del self._logs[generation_id]

    # --- positions in the queue ---------------------------------------------------------------------------

    async def _send_positions(self) -> None:
        """Sends queue positions that changed, once a second and only while somebody waits for a first
        token."""
        while True:
            await asyncio.sleep(POSITIONS_SECONDS / 2)
            models = {watched.model for watched in self._logs.values() if not watched.started}
            for model in models:
                try:
                    positions, pace, slots = await asyncio.to_thread(served_models.queue_positions, model)
                except redis_client.UNAVAILABLE:
                    continue
                self._spread(model, positions, pace, slots)
            await asyncio.sleep(POSITIONS_SECONDS / 2)

    def _spread(self, model: str, positions: dict[str, int], pace: float | None, slots: int) -> None:
        for generation_id, watched in self._logs.items():
            if watched.model != model or watched.started or generation_id not in positions:
                continue
            position = positions[generation_id] if slots else 0
            estimate = ceil(position / slots * pace / 1000) if slots and pace else None
            found = QueuePosition(position, estimate)
            if found != watched.queue_position:
                watched.queue_position = found
                for outbox in watched.outboxes:
                    outbox.put(generation_id, found)

    # --- ends that no log has ---------------------------------------------------------------------------

    async def _send_lost_ends(self) -> None:
        """Sends ends from the rows of replies whose log is gone, or ends before the place where it was read,
        because Redis lost data. A page then finds that its text differs, and asks for the saved one.
        """
        while True:
            await asyncio.sleep(ENDS_SECONDS)
            try:
                ends = await asyncio.to_thread(_settled, list(self._logs)) if self._logs else {}
            except DatabaseFault as error:
                logger.warning("database: %s; ends are looked for later", type(error).__name__)
                continue
            for generation_id, end in ends.items():
                if generation_id in self._logs:
                    self._deliver(generation_id, self._logs[generation_id].position, end)


def _settled(generation_ids: list[str]) -> dict[str, End]:
    """Returns the ends of those replies whose rows were settled SETTLED_SECONDS ago or earlier."""
    try:
        rows = Generation.objects.filter(
            pk__in=generation_ids, finished_at__lt=Now() - timedelta(seconds=SETTLED_SECONDS)
        )
        return {
            str(row.pk): End(
                row.seq,
                Reason(row.reason),
                {
                    "error": row.error,
                    "prompt_tokens": row.prompt_tokens,
                    "completion_tokens": row.completion_tokens,
                },
                run=row.run,  # a page ignores the end of an older run than it has seen
            )
            for row in rows
        }
    finally:
        if connection.vendor == "postgresql":
            connection.close()  # back to the pool


def _id(stream_id: str) -> tuple[int, int]:
    major, _, minor = stream_id.partition("-")
    return int(major), int(minor)


def _from(items: list[Piece | End], after: int) -> list[Piece | End]:
    """Returns the items after token `after`.

    If no piece begins there (Redis lost data and got it again in other pieces), it begins with the stretch of
    one kind that holds the token: a page cuts what it holds back to the beginning of that stretch.
    """
    pieces = [item for item in items if isinstance(item, Piece)]
    last = pieces[-1].seq if pieces else 0
    if after < last and all(piece.after != after for piece in pieces):
        later = [stretch for stretch in stretches(pieces) if stretch.seq > after]
        return [*later, *(item for item in items if isinstance(item, End))]
    return [item for item in items if isinstance(item, End) or item.after >= after]


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """Returns the hub of the running event loop: of the process (tests have several loops)."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]
