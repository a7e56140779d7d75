"""One look every 3 s at all sockets of a process: those of people who logged out or were suspended are
closed, those that missed a control event are told so, and all are told when the disk is full or free again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Protocol
from uuid import UUID
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from django.db import DatabaseError

from chat.accounts.sessions import still_allowed
from chat.core import storage
from chat.core.budget import budget
from chat.turns import news

logger = logging.getLogger("grokweb.guard")

LOOK_SECONDS = 3.0
VOUCH_SECONDS = 9.0  # must stay well below SOCKET_SECONDS in chat/core/budget.py
CLOSE_CODES = {"logged_out": 4401, "suspended": 4403}


class Socket(Protocol):
    channel_name: str

    async def close(self, code: int) -> None: ...

    async def catch_up(self, number: int) -> None: ...

    async def tell_storage(self, writable: bool) -> None: ...


class Guard:
    def __init__(self) -> None:
        self._sockets: dict[Socket, tuple[str, UUID]] = {}
        self._task: asyncio.Task[None] | None = None
        self._numbers: dict[UUID, int] = {}  # of the last control event, a look ago
        self._vouched = time.monotonic()

    def enter(self, socket: Socket, session: str, user_id: UUID) -> None:
        self._sockets[socket] = (session, user_id)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def leave(self, socket: Socket) -> None:
        self._sockets.pop(socket, None)

    def sockets_of(self, user_id: UUID) -> int:
        return sum(1 for _, owner in self._sockets.values() if owner == user_id)

    async def _run(self) -> None:
        while self._sockets:
            await asyncio.sleep(LOOK_SECONDS)
            for look in (
                self._tell_storage,
                self._close_those_not_allowed,
                self._tell_what_was_missed,
                self._vouch,
            ):
                try:
                    await look()
                except DatabaseError as error:
                    logger.warning("not looked: %s", error)
                except Exception:
                    # The guard serves every socket of this process: one that breaks must not end it.
                    logger.exception("guard")

    async def _tell_storage(self) -> None:
        writable = await sync_to_async(storage.accepts, thread_sensitive=False)()
        for socket in list(self._sockets):
            await socket.tell_storage(writable)

    async def _close_those_not_allowed(self) -> None:
        verdicts = await database_sync_to_async(still_allowed)(dict(self._sockets.values()))
        for socket, (session, _) in list(self._sockets.items()):
            code = CLOSE_CODES.get(verdicts.get(session, "ok"))
            if code is not None:
                await socket.close(code)

    async def _tell_what_was_missed(self) -> None:
        """An event may still be on its way, so that the number of the look before counts."""
        before, people = self._numbers, list({user_id for _, user_id in self._sockets.values()})
        self._numbers = await sync_to_async(news.numbers, thread_sensitive=False)(people)
        for socket, (_, user_id) in list(self._sockets.items()):
            number = self._numbers.get(user_id)
            if number is not None and number == before.get(user_id):
                await socket.catch_up(number)

    async def _vouch(self) -> None:
        """For the count of a person's sockets in all processes (chat/core/budget.py)."""
        if time.monotonic() - self._vouched < VOUCH_SECONDS:
            return
        self._vouched = time.monotonic()
        sockets: dict[str, list[str]] = {}
        for socket, (_, user_id) in self._sockets.items():
            sockets.setdefault(str(user_id), []).append(socket.channel_name)
        await budget().vouch(sockets)


_guards: WeakKeyDictionary[asyncio.AbstractEventLoop, Guard] = WeakKeyDictionary()


def guard() -> Guard:
    loop = asyncio.get_running_loop()
    if loop not in _guards:
        _guards[loop] = Guard()
    return _guards[loop]
