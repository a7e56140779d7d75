"""Checks all sockets of a process every 3 s: closes those of people who logged out or were suspended, and
tells the others what they missed, whether the disk is full, and when models begin or cease to answer.
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
from chat.core.rate_limiter import rate_limiter
from chat.turns import event_numbers, redis_client, served_models

logger = logging.getLogger("grokweb.socket_monitor")

CHECK_SECONDS = 3.0
REFRESH_SECONDS = 9.0  # must stay well below SOCKET_SECONDS in chat/core/rate_limiter.py
CLOSE_CODES = {"logged_out": 4401, "suspended": 4403}


class Socket(Protocol):
    channel_name: str

    async def close(self, code: int) -> None: ...

    async def catch_up(self, number: int) -> None: ...

    async def note_storage(self, writable: bool) -> None: ...

    async def note_models(self) -> None: ...


class SocketMonitor:
    """The sockets of one event loop and the task that checks them, which runs while there are any."""

    def __init__(self) -> None:
        self._sockets: dict[Socket, tuple[str, UUID]] = {}
        self._task: asyncio.Task[None] | None = None
        self._numbers: dict[UUID, int] = {}  # of the latest control event, one check ago
        self._models: dict[str, tuple[bool, str]] | None = None  # their states, one check ago; None: unknown
        self._refreshed_at = time.monotonic()

    def enter(self, socket: Socket, session: str, user_id: UUID) -> None:
        self._sockets[socket] = (session, user_id)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def leave(self, socket: Socket) -> None:
        self._sockets.pop(socket, None)

    def sockets_of(self, user_id: UUID) -> int:
        return sum(1 for _, owner in self._sockets.values() if owner == user_id)

    async def _run(self) -> None:
        checks = (
            *(self._check_storage, self._check_models, self._check_sessions),
            *(self._check_events, self._refresh_sockets),
        )
        self._models = await self._states_of_models()  # pages that are there got them before
        while self._sockets:
            await asyncio.sleep(CHECK_SECONDS)
            for check in checks:
                try:
                    await check()
                except DatabaseError as error:
                    logger.warning("sockets were not checked: %s", error)
                except Exception:
                    # The monitor serves every socket of this process: one that breaks must not end it.
                    logger.exception("a check of the sockets failed")

    async def _check_storage(self) -> None:
        writable = await sync_to_async(storage.accepts, thread_sensitive=False)()
        for socket in list(self._sockets):
            await socket.note_storage(writable)

    async def _check_models(self) -> None:
        """Tells sockets that some model began or ceased to answer."""
        before, now = self._models, await self._states_of_models()
        if now is None or now == before:
            return
        self._models = now
        for socket in list(self._sockets):
            await socket.note_models()

    async def _states_of_models(self) -> dict[str, tuple[bool, str]] | None:
        """Returns the states of all models; None where Redis does not tell."""
        try:
            return await sync_to_async(served_models.states, thread_sensitive=False)()
        except redis_client.UNAVAILABLE:
            return None

    async def _check_sessions(self) -> None:
        """Closes the sockets of people who logged out or were suspended."""
        states = await database_sync_to_async(still_allowed)(dict(self._sockets.values()))
        for socket, (session, _) in list(self._sockets.items()):
            code = CLOSE_CODES.get(states.get(session, "ok"))
            if code is not None:
                await socket.close(code)

    async def _check_events(self) -> None:
        """Tells sockets that missed a control event. One may still be on its way, so the number of the check
        before counts."""
        before, people = self._numbers, list({user_id for _, user_id in self._sockets.values()})
        self._numbers = await sync_to_async(event_numbers.latest, thread_sensitive=False)(people)
        for socket, (_, user_id) in list(self._sockets.items()):
            number = self._numbers.get(user_id)
            if number is not None and number == before.get(user_id):
                await socket.catch_up(number)

    async def _refresh_sockets(self) -> None:
        """Renews the sockets of this process in the count per user (chat/core/rate_limiter.py)."""
        if time.monotonic() - self._refreshed_at < REFRESH_SECONDS:
            return
        self._refreshed_at = time.monotonic()
        sockets: dict[str, list[str]] = {}
        for socket, (_, user_id) in self._sockets.items():
            sockets.setdefault(str(user_id), []).append(socket.channel_name)
        await rate_limiter().refresh_sockets(sockets)


_monitors: WeakKeyDictionary[asyncio.AbstractEventLoop, SocketMonitor] = WeakKeyDictionary()


def socket_monitor() -> SocketMonitor:
    """Returns the monitor of the running event loop: of the process (tests have several loops)."""
    loop = asyncio.get_running_loop()
    if loop not in _monitors:
        _monitors[loop] = SocketMonitor()
    return _monitors[loop]
