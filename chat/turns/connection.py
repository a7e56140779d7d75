"""One socket's connection: who may have it, what it may cost, database threads, and the outbox's pump.

consumers.py builds on it and handles the frames.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import ceil
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error as DatabaseFault
from django.db import connection
from django.utils import translation
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from chat.accounts.devices import SEEN_EVERY, note_socket
from chat.accounts.models import User
from chat.accounts.sessions import still_allowed
from chat.core import storage
from chat.core.errors import ChatError, TooManyRequests
from chat.core.fair_semaphore import RETRY_AFTER, FairSemaphore, QueueIsFull
from chat.core.rate_limiter import rate_limiter
from chat.core.scopes import language_of, remember_person
from chat.turns import events
from chat.turns.frames import FrameOut, encode
from chat.turns.hub import hub
from chat.turns.outbox import Outbox
from chat.turns.socket_monitor import CLOSE_CODES, socket_monitor

logger = logging.getLogger("grokweb.socket")

T = TypeVar("T")

SOCKETS_A_PERSON = 64  # in all processes; each may hold an outbox full of text
# A few threads. They keep their connection to SQLite (opening one costs more than most frames) and borrow one
# from the pool on PostgreSQL.
THREADS = 4
DATABASE_THREADS = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="socket")
# Of one person: a socket handles one frame at a time, and ends of replies.
WAITING_FRAMES = 4 * SOCKETS_A_PERSON


class OverRate(TooManyRequests):
    """This person asked for more than their share; the socket is not read for a moment."""


class SessionEnded(ChatError):
    """Logged out or suspended since the last frame: the socket closes."""

    code = "not_logged_in"

    def __init__(self, close_code: int) -> None:
        super().__init__(_("You are no longer logged in."))
        self.close_code = close_code


class Unavailable(ChatError):
    """The service cannot answer at the moment: Redis is away, or something failed that is in the log."""

    code, http_status = "unavailable", 503


class Connection(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Keeps the connection of one tab of one person; a subclass handles its frames."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outbox = Outbox()
        self.pump: asyncio.Task[None] | None = None  # None: not accepted, or on its way out

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._clean_up()  # however it ended

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Calls the handler. Channels' own method first visits a thread, to close what Django left open
        there; here nothing is left, for `in_thread` closes its connections."""
        await getattr(self, get_handler_name(message))(message)

    async def connect(self) -> None:
        self.user: User = self.scope["user"]
        self.session = self.scope["session"].session_key or ""
        self.language = language_of(self.scope)
        self.noted = float("-inf")  # when this session's last use was noted
        self.person = str(self.user.pk)
        await self.accept()
        if not self.user.is_authenticated:
            await self.close(4401)
            return
        if await self.close_if_session_ended():
            return
        remember_person(self.session, self.person)
        if not await self._may_open_one_more():
            await self.close(1013)
            return
        socket_monitor().enter(self, self.session, self.user.pk)
        with contextlib.suppress(RedisError, OSError):  # control events are a comfort only
            await self.channel_layer.group_add(events.group(self.user.pk), self.channel_name)
        self.pump = asyncio.create_task(self._run_pump())
        try:
            await self.say_hello()
        except ChatError:  # no worker has announced a model yet
            await self.close(1013)

    async def say_hello(self) -> None:
        raise NotImplementedError

    async def send_waiting(self) -> None:
        """Sends what waits in the outbox."""
        raise NotImplementedError

    async def disconnect(self, code: int) -> None:
        raise StopConsumer

    async def close_if_session_ended(self) -> bool:
        code = await self.in_thread(self._close_code)
        if code:
            await self.close(code)
        return code is not None

    async def send_frame(self, frame: FrameOut) -> None:
        await self.send_text(encode(frame))

    async def send_text(self, text: str) -> None:
        # Straight to the server: what channels' own send() does on top costs a tenth of a token.
        await self.base_send({"type": "websocket.send", "text": text})

    async def _may_open_one_more(self) -> bool:
        if socket_monitor().sockets_of(self.user.pk) >= SOCKETS_A_PERSON:
            return False
        return await rate_limiter().register_socket(self.person, self.channel_name, SOCKETS_A_PERSON)

    async def _clean_up(self) -> None:
        socket_monitor().leave(self)
        hub().leave(self.outbox)
        if self.pump is not None:
            self.pump.cancel()
            await rate_limiter().unregister_socket(self.person, self.channel_name)
            with contextlib.suppress(RedisError, OSError):
                await self.channel_layer.group_discard(events.group(self.user.pk), self.channel_name)

    async def _run_pump(self) -> None:
        """Sends what the hub put into the outbox; while a send waits, pieces merge there."""
        try:
            while True:
                await self.outbox.ready.wait()
                if self.outbox.overflowed:
                    await self.close(1013)
                    return
                await self.send_waiting()
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("a socket's pump ended")
            await self.close(1013)

    # --- database threads ---------------------------------------------------------------------------------

    async def with_rights(self, work: Callable[[], T]) -> T:
        """Calls a service in a database thread, after the person's rights were read anew. Raises ChatErrors;
        SessionEnded closes the socket."""
        try:
            return await self.in_thread(partial(self._call_with_rights, work))
        except SessionEnded as ended:
            await self.close(ended.close_code)
            raise

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Calls `work` in a database thread, in the reader's language. Raises OverRate where too many calls
        of this person wait already."""
        call = sync_to_async(self._call, thread_sensitive=False, executor=DATABASE_THREADS)
        try:
            async with threads().hold(self.person):
                result: T = await call(work)
        except QueueIsFull:
            raise self.over_rate(RETRY_AFTER) from None
        return result

    def _call(self, work: Callable[[], T]) -> T:
        storage.renew_connection()
        try:
            with translation.override(self.language):
                return work()
        except DatabaseFault:
            connection.close()  # a broken connection must not stay with its thread
            raise
        finally:
            if connection.vendor == "postgresql":
                connection.close()  # back to the pool: pages want it, too

    def _call_with_rights(self, work: Callable[[], T]) -> T:
        code = self._close_code()
        if code is not None:
            raise SessionEnded(code)
        if time.monotonic() - self.noted > SEEN_EVERY:
            self.noted = time.monotonic()
            note_socket(self.session)
        return work()

    def _close_code(self) -> int | None:
        """Returns the code with which this socket closes, None while its session stands."""
        state = still_allowed({self.session: self.user.pk}).get(self.session, "logged_out")
        return CLOSE_CODES.get(state)

    # --- cost ---------------------------------------------------------------------------------------------

    async def pay(self, cost: float) -> None:
        """Raises OverRate."""
        wait = await rate_limiter().acquire(self.person, cost)
        if wait > 0:
            raise self.over_rate(ceil(wait))

    def over_rate(self, seconds: int) -> OverRate:
        with translation.override(self.language):
            return OverRate(_("Too many requests at once. Please wait a moment."), retry_after=seconds)


_threads: WeakKeyDictionary[asyncio.AbstractEventLoop, FairSemaphore] = WeakKeyDictionary()


def threads() -> FairSemaphore:
    """Returns the semaphore in front of DATABASE_THREADS, of the running event loop (tests have several)."""
    return _threads.setdefault(asyncio.get_running_loop(), FairSemaphore(THREADS, WAITING_FRAMES))


def error_for(error: Exception) -> ChatError:
    """Returns the error that the person is shown for a failure of ours; the log has it whole."""
    if (full := storage.translated(error)) is not None:
        logger.warning("a frame was refused, the disk is full or read-only: %s", type(error).__name__)
        return full
    logger.exception("a frame was not carried out", exc_info=error)
    if isinstance(error, RedisError | OSError):
        return Unavailable(_("The queue does not answer. Please try again."))
    return Unavailable(_("Something went wrong here. Please try again."))
