"""The websocket: parse, access, service, send. The frames are docs/protocol.md."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import ceil
from typing import Any, TypeVar
from uuid import UUID
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from channels.consumer import get_handler_name
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.db import Error as DatabaseFault
from django.db import connection
from django.utils import translation
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from chat.accounts.devices import SEEN_EVERY, note_socket
from chat.accounts.models import User
from chat.accounts.sessions import still_allowed
from chat.conversations import services as conversations
from chat.conversations.access import message_for
from chat.conversations.model_cards import default_model
from chat.core import storage
from chat.core.budget import ASK, FRAME_BYTES_A_UNIT, READ, budget
from chat.core.errors import BadInput, ChatError, TooManyRequests
from chat.core.places import RETRY_AFTER, Crowded, Places
from chat.core.scopes import language_of, remember_person
from chat.turns import events, news, port, services
from chat.turns.guard import CLOSE_CODES, guard
from chat.turns.live import Outbox, Place, hub
from chat.turns.models import Generation
from chat.turns.start import Start
from chat.turns.wishes import Wishes
from inference.log import End, Piece

logger = logging.getLogger("grokweb.socket")

encode = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":")
).encode  # dumps() would make one each time
T = TypeVar("T")
Frame = dict[str, Any]
Job = Callable[[], Awaitable[None]]

REF_LENGTH = 64
MOST_IDS = 100  # in one frame; how many files a message may have is for chat/files
ASKING = {"send", "regenerate", "continue"}
SOCKETS_A_PERSON = 64  # in all processes; each may hold an outbox full of text
# A few threads. They keep their connection to SQLite (opening one costs more than most frames) and borrow one
# from the pool on PostgreSQL.
THREADS = 4
DATABASE_THREADS = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="socket")
WAITING_FRAMES = (
    4 * SOCKETS_A_PERSON
)  # of one person: a socket handles one frame at a time, and ends of replies


class ChatConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One tab of one person."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.outbox = Outbox()
        self.watching: dict[str, str] = {}  # generation id -> message id
        self.pump: asyncio.Task[None] | None = None
        self.heard: int | None = None  # number of the last control event
        self.writable: bool | None = None  # whether messages can be stored, as the page was last told
        self.storage_due = False  # it has changed since

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._clean_up()  # however it ended

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
        if await self._is_sent_away():
            return
        remember_person(self.session, self.person)
        if not await self._may_have_one_more():
            await self.close(1013)
            return
        guard().enter(self, self.session, self.user.pk)
        with contextlib.suppress(
            RedisError, OSError
        ):  # control events are a comfort: without Redis none come
            await self.channel_layer.group_add(events.group(self.user.pk), self.channel_name)
        self.pump = asyncio.create_task(self._pump())
        try:
            first = await self._in_thread(lambda: hello(self.user))
            self.heard = first["news"]
            self.writable = first["writable"]
            await self._send(first)
        except ChatError:  # no worker has announced a model yet
            await self.close(1013)

    async def disconnect(self, code: int) -> None:
        raise StopConsumer

    async def _may_have_one_more(self) -> bool:
        if guard().sockets_of(self.user.pk) >= SOCKETS_A_PERSON:
            return False
        return await budget().enter(self.person, self.channel_name, SOCKETS_A_PERSON)

    async def _clean_up(self) -> None:
        guard().leave(self)
        hub().leave(self.outbox)
        if self.pump is not None:
            self.pump.cancel()
            await budget().leave(self.person, self.channel_name)
            with contextlib.suppress(RedisError, OSError):
                await self.channel_layer.group_discard(events.group(self.user.pk), self.channel_name)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Channels' own visits a thread before every message, to close what Django left open there. Here
        nothing is left: `_in_thread` sees to its connections."""
        await getattr(self, get_handler_name(message))(message)

    # --- in -----------------------------------------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.pump is None:
            return  # on its way out
        frame: Frame = {}
        try:
            await self._pay(READ + len(text_data or bytes_data or "") // FRAME_BYTES_A_UNIT)
            with translation.override(self.language):
                frame = parse(text_data)
                check_characters(frame, text_data or "")
                job = self._job(frame)
            if frame["type"] in ASKING:
                await self._pay(ASK)
            await job()
        except OverBudget as error:
            await self._send_error(error, frame)
            # Nothing is read from this socket meanwhile: its frames wait with their sender.
            await asyncio.sleep(budget().pause(self.person))
        except ChatError as error:
            await self._send_error(error, frame)
        except Exception as error:  # noqa: BLE001 - _told logs it whole
            with translation.override(self.language):
                await self._send_error(_told(error), frame)

    def _job(self, frame: Frame) -> Job:
        """Checks everything of a frame that needs no database, and returns what is to be done."""
        make = {
            "send": self._send_message,
            "regenerate": self._regenerate,
            "continue": self._continue,
            "resume": self._resume,
            "stop": self._stop,
        }.get(frame["type"])
        if make is None:
            raise BadFrame(_("Unknown type of frame."))
        return make(frame)

    def _send_message(self, frame: Frame) -> Job:
        asked = partial(
            services.send,
            user=self.user,
            conversation_id=uuid_of(frame, "conversation", optional=True),
            parent_id=uuid_of(frame, "parent", optional=True),
            content=services.clean(frame.get("content", "")),
            client_id=client_id_of(frame),
            wishes=Wishes.of(frame.get("params")),
            start=Start.of(frame.get("start")),
            file_ids=uuids_of(frame, "files"),
        )
        return partial(self._ask, frame, asked)

    def _regenerate(self, frame: Frame) -> Job:
        asked = partial(
            services.regenerate,
            user=self.user,
            message_id=required_uuid(frame, "message_id"),
            client_id=client_id_of(frame),
            wishes=Wishes.of(frame.get("params")),
        )
        return partial(self._ask, frame, asked)

    def _continue(self, frame: Frame) -> Job:
        asked = partial(
            services.go_on,
            user=self.user,
            message_id=required_uuid(frame, "message_id"),
            client_id=client_id_of(frame),
        )
        return partial(self._ask, frame, asked)

    async def _ask(self, frame: Frame, ask: Callable[[], services.Turn]) -> None:
        """Stores, acknowledges after the commit, follows the reply, tells the person's other tabs."""

        def stored() -> tuple[services.Turn, Frame]:
            turn = ask()
            return turn, ack(turn)

        turn, answer = await self._service(stored)
        await self._send({**answer, "ref": frame["ref"]} if "ref" in frame else answer)
        await self._follow(turn.generation, 0)
        if turn.is_new:
            news = [{"type": "message", "message": message} for message in answer["messages"]]
            news.append({"type": "conversation", "conversation": answer["conversation"], "deleted": False})
            await events.tell(self.user.pk, *news, but=self.channel_name)

    def _resume(self, frame: Frame) -> Job:
        after = frame.get("after", 0)
        if isinstance(after, bool) or not isinstance(after, int) or after < 0:
            raise BadFrame(_("`after` is not a number of a token."))
        return partial(self._show, required_uuid(frame, "message_id"), after)

    async def _show(self, message_id: UUID, after: int) -> None:
        generation = await self._service(lambda: generation_for(self.user, message_id))
        await self._follow(generation, after)

    async def _follow(self, generation: Generation, after: int) -> None:
        """A live row is answered from its log, a settled one from the row (rule 3)."""
        key = str(generation.pk)
        if generation.status in ("queued", "running"):
            self.watching[key] = str(generation.message_id)
            hub().watch(self.outbox, key, generation.model, after)
            return
        for frame in await self._in_thread(lambda: settled_frames(generation)):
            await self._send(frame)

    def _stop(self, frame: Frame) -> Job:
        stop = partial(services.stop, user=self.user, message_id=required_uuid(frame, "message_id"))
        return partial(self._service, stop)

    # --- out ----------------------------------------------------------------------------------------------

    async def _pump(self) -> None:
        """Sends what the hub put into the outbox; while a send waits, pieces merge there."""
        try:
            while True:
                await self.outbox.ready.wait()
                if self.outbox.overflowed:
                    await self.close(1013)
                    return
                if self.storage_due:
                    self.storage_due = False
                    await self._send({"type": "storage", "writable": self.writable})
                for generation_id, item in self.outbox.take():
                    await self._send_item(generation_id, item)
        except asyncio.CancelledError:
            raise
        except Exception:
            logger.exception("a socket's pump ended")
            await self.close(1013)

    async def _send_item(self, generation_id: str, item: Piece | End | Place) -> None:
        message_id = self.watching.get(generation_id)
        if message_id is None:
            return
        ids = {"message_id": message_id, "generation_id": generation_id}
        if isinstance(item, Piece):
            await self._send(
                {"type": "token", **ids, "after": item.after, "seq": item.seq, "text": item.text}
            )
        elif isinstance(item, Place):
            await self._send({"type": "queued", **ids, "position": item.position, "estimate": item.estimate})
        else:
            del self.watching[generation_id]
            await self._send(
                {"type": "done", **ids, **await self._in_thread(lambda: self._done(generation_id, item))}
            )

    def _done(self, generation_id: str, end: End) -> Frame:
        """The end as the log has it: the row may be settled a moment later."""
        text = port.read(UUID(generation_id)).text
        return done(end.reason, end.error, end.prompt_tokens, end.seq, text)

    async def _send(self, frame: Frame) -> None:
        # Straight to the server: what channels' own send() does on top costs a tenth of a token.
        await self.base_send({"type": "websocket.send", "text": encode(frame)})

    async def _send_error(self, error: ChatError, frame: Frame) -> None:
        body = {"type": "error", **error.as_json()}
        for name in ("ref", "client_id"):
            if isinstance(frame.get(name), str) and is_text(frame[name]):
                body[name] = frame[name][:REF_LENGTH]
        await self._send(body)

    # --- events of other tabs and of staff ----------------------------------------------------------------

    async def tab_frames(self, event: Frame) -> None:
        number = event["number"]
        if number is not None and self.heard is not None:
            if number > self.heard + 1:
                await self._send({"type": "missed"})
            self.heard = max(self.heard, number)
        if event.get("but") != self.channel_name:
            for frame in event["frames"]:
                await self._send(frame)

    async def catch_up(self, number: int) -> None:
        """The guard: there were events up to this number, and those that are not heard by now are lost."""
        missed = self.heard is not None and self.heard < number
        self.heard = number  # lower than before when Redis has forgotten it
        if missed:
            await self._send({"type": "missed"})

    async def tell_storage(self, writable: bool) -> None:
        """The guard: whether messages can be stored. The pump says so: a send may wait for a client that does
        not read, and the guard must not."""
        if self.writable is not None and writable != self.writable:
            self.writable, self.storage_due = writable, True
            self.outbox.ready.set()

    async def tab_close(self, event: Frame) -> None:
        await self.close(event["code"])

    async def tab_look(self, event: Frame) -> None:
        await self._is_sent_away()

    async def _is_sent_away(self) -> bool:
        """Closes this socket if its session does not stand."""
        verdict = await self._in_thread(lambda: still_allowed({self.session: self.user.pk}))
        code = CLOSE_CODES.get(verdict.get(self.session, "logged_out"))
        if code:
            await self.close(code)
        return code is not None

    # --- rooms below --------------------------------------------------------------------------------------

    async def _service(self, work: Callable[[], T]) -> T:
        """One service call in a database thread, in the reader's language, with rights read anew."""

        def call() -> T:
            with translation.override(self.language):
                verdict = still_allowed({self.session: self.user.pk}).get(self.session, "logged_out")
                if verdict != "ok":
                    raise Gone(CLOSE_CODES[verdict])
                if time.monotonic() - self.noted > SEEN_EVERY:
                    self.noted = time.monotonic()
                    note_socket(self.session)
                return work()

        try:
            return await self._in_thread(call)
        except Gone as gone:
            await self.close(gone.close_code)
            raise

    async def _in_thread(self, work: Callable[[], T]) -> T:
        def call() -> T:
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

        try:
            async with threads().one(self.person):
                made: T = await sync_to_async(call, thread_sensitive=False, executor=DATABASE_THREADS)()
        except Crowded:
            raise self._over_budget(RETRY_AFTER) from None
        return made

    async def _pay(self, cost: float) -> None:
        wait = await budget().take(self.person, cost)
        if wait > 0:
            raise self._over_budget(ceil(wait))

    def _over_budget(self, seconds: int) -> OverBudget:
        with translation.override(self.language):
            return OverBudget(_("Too many requests at once. Please wait a moment."), retry_after=seconds)


_threads: WeakKeyDictionary[asyncio.AbstractEventLoop, Places] = WeakKeyDictionary()


def threads() -> Places:
    """The places in front of DATABASE_THREADS, of the running event loop (tests have several)."""
    return _threads.setdefault(asyncio.get_running_loop(), Places(THREADS, WAITING_FRAMES))


class OverBudget(TooManyRequests):
    """This person asked for more than their share; the socket is not read for a moment."""


class BadFrame(BadInput):
    code = "bad_frame"


def _told(error: Exception) -> ChatError:
    """Returns what the person is told of a failure of ours; the log has it whole."""
    if (full := storage.translated(error)) is not None:
        logger.warning("a frame was refused, the disk is full or read-only: %s", type(error).__name__)
        return full
    logger.exception("a frame was not carried out", exc_info=error)
    if isinstance(error, RedisError | OSError):
        return services.Unavailable(_("The queue does not answer. Please try again."))
    return services.Unavailable(_("Something went wrong here. Please try again."))


class Gone(ChatError):
    """Logged out or suspended since the last frame: the socket closes."""

    code = "not_logged_in"

    def __init__(self, close_code: int) -> None:
        super().__init__(_("You are no longer logged in."))
        self.close_code = close_code


def parse(text: str | None) -> Frame:
    if text is None:
        raise BadFrame(_("A frame must be text, not binary."))
    if len(text) > settings.FRAME_BYTES_IN or len(text.encode()) > settings.FRAME_BYTES_IN:
        raise BadFrame(_("The frame is too large."))
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        raise BadFrame(_("The frame is not JSON.")) from None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        raise BadFrame(_("The frame is not an object with a type."))
    return frame


def is_text(text: str) -> bool:
    """JSON can name half of a surrogate pair, which no encoding can write."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_characters(frame: Frame, text: str) -> None:
    # The frame itself is UTF-8, so that only an escape can make half of a pair.
    if "\\u" in text and not is_text(encode(frame)):
        raise BadInput(_("The message contains characters that are not text."))
    ref = frame.get("ref", "")
    if not isinstance(ref, str) or len(ref) > REF_LENGTH:
        raise BadFrame(_("`ref` is not text of at most %d characters.") % REF_LENGTH)


def text_of(frame: Frame, name: str) -> str:
    value = frame.get(name)
    if not isinstance(value, str):
        raise BadFrame(_("`%(name)s` is not text.") % {"name": name})
    return value


def client_id_of(frame: Frame) -> str:
    client_id = text_of(frame, "client_id")
    services.check_client_id(client_id)
    return client_id


def uuid_of(frame: Frame, name: str, *, optional: bool = False) -> UUID | None:
    value = frame.get(name)
    if value is None and optional:
        return None
    try:
        return UUID(text_of(frame, name))
    except ValueError:
        raise BadFrame(_("`%(name)s` is not an id.") % {"name": name}) from None


def uuids_of(frame: Frame, name: str) -> list[UUID]:
    """A list of ids, empty if there is none."""
    values = frame.get(name)
    if values is None:
        return []
    if not isinstance(values, list) or len(values) > MOST_IDS:
        raise BadFrame(_("`%(name)s` is not a list of ids.") % {"name": name})
    return [required_uuid({name: value}, name) for value in values]


def required_uuid(frame: Frame, name: str) -> UUID:
    value = uuid_of(frame, name)
    assert value is not None
    return value


def generation_for(user: User, message_id: UUID) -> Generation:
    """The generation behind a visible reply; unknown, foreign and the person's own message: not found."""
    message = message_for(user, message_id)
    generation = Generation.objects.filter(message=message).select_related("message__conversation").first()
    if generation is None:
        raise BadInput(_("That message is not a reply."))
    return generation


def hello(user: User) -> Frame:
    model = default_model()
    try:
        running = bool(port.workers(model.slug))
    except port.UNAVAILABLE:
        running = False
    card = {"slug": model.slug, "name": model.name, "is_demo": model.is_demo, "running": running}
    person = {"id": str(user.pk), "name": user.get_short_name()}
    return {
        "type": "hello",
        "user": person,
        "model": card,
        "news": news.number(user.pk),
        "writable": storage.accepts(),
    }


def done(reason: str, error: str, prompt_tokens: int, seq: int, text: str) -> Frame:
    return {
        "status": str(services.STATUS_OF[reason]),  # type: ignore[index]
        "reason": reason,
        "words": services.words_for(reason, error),
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": seq},
        "seq": seq,
        "length": len(text),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def ack(turn: services.Turn) -> Frame:
    conversations.load_siblings(turn.messages)
    return {
        "type": "ack",
        "conversation": conversations.conversation_json(turn.conversation),
        "messages": [conversations.message_json(message) for message in turn.messages],
        "message_id": str(turn.generation.message_id),
        "generation_id": str(turn.generation.pk),
        "client_id": turn.generation.client_id,
    }


def settled_frames(generation: Generation) -> list[Frame]:
    """A settled reply, whole, and its end."""
    message = generation.message
    text = "" if message.hidden_at else message.text[generation.parameters.get("said", 0) :]
    body = done(
        generation.reason, generation.error, generation.prompt_tokens, generation.completion_tokens, text
    )
    ids = {"message_id": str(message.pk), "generation_id": str(generation.pk)}
    return [
        {"type": "message", "message": conversations.message_json(message)},
        {"type": "done", **ids, **body, "status": generation.status},
    ]
