"""Closes the sockets of people who logged out or were suspended: one look every 3 s for all of a process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from uuid import UUID
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from django.db import DatabaseError

from chat.accounts.sessions import still_allowed

logger = logging.getLogger("grokweb.guard")

LOOK_SECONDS = 3.0
CLOSE_CODES = {"logged_out": 4401, "suspended": 4403}


class Guard:
    def __init__(self) -> None:
        self._sockets: dict[object, tuple[str, UUID, Callable[[int], Awaitable[None]]]] = {}
        self._task: asyncio.Task[None] | None = None

    def enter(
        self, socket: object, session: str, user_id: UUID, close: Callable[[int], Awaitable[None]]
    ) -> None:
        self._sockets[socket] = (session, user_id, close)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def leave(self, socket: object) -> None:
        self._sockets.pop(socket, None)

    def sockets_of(self, user_id: UUID) -> int:
        return sum(1 for _, owner, _ in self._sockets.values() if owner == user_id)

    async def _run(self) -> None:
        while self._sockets:
            await asyncio.sleep(LOOK_SECONDS)
            people = {session: user_id for session, user_id, _ in self._sockets.values()}
            try:
                verdicts = await database_sync_to_async(still_allowed)(people)
            except DatabaseError as error:
                logger.warning("not looked: %s", error)
                continue
            for session, _user_id, close in list(self._sockets.values()):
                code = CLOSE_CODES.get(verdicts.get(session, "ok"))
                if code is not None:
                    await close(code)


_guards: WeakKeyDictionary[asyncio.AbstractEventLoop, Guard] = WeakKeyDictionary()


def guard() -> Guard:
    loop = asyncio.get_running_loop()
    if loop not in _guards:
        _guards[loop] = Guard()
    return _guards[loop]
