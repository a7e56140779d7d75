"""ASGI middleware that delays or refuses excessive requests before they cost a thread or a query.

    http = HttpLimiter(get_asgi_application())
    websocket = HandshakeLimiter(routes)

Both identify a user by the session once this process has seen it (scopes.py), else by the address.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any, TypeVar

from django.template import loader
from django.urls import Resolver404, resolve
from django.utils import translation
from django.utils.translation import gettext as _

from chat.core.fair_semaphore import RETRY_AFTER, FairSemaphore, QueueIsFull
from chat.core.rate_limiter import CONNECT, READ, WRITE, rate_limiter
from chat.core.scopes import address_of, language_of, person_of

Scope = dict[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]
View = TypeVar("View", bound=Callable[..., Any])

# Each page is answered in a thread of its own; as many as PostgreSQL's pool has connections (settings.py).
HTTP_THREADS, HTTP_WAITING = 16, 48
HANDSHAKES, HANDSHAKES_WAITING = 4, 128
UNLIMITED = {"/healthz"}  # answers that this process lives, also when all requests wait
TOO_MANY = 429
TRY_AGAIN = 1013


def request_cost(units: float) -> Callable[[View], View]:
    """Sets the cost of a request to a view (chat/core/rate_limiter.py), which is READ or WRITE otherwise."""

    def mark(view: View) -> View:
        view.cost = units  # type: ignore[attr-defined]
        return view

    return mark


class HttpLimiter:
    def __init__(self, application: Application) -> None:
        self.application = application
        self.slots = FairSemaphore(HTTP_THREADS, HTTP_WAITING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNLIMITED:
            await self.application(scope, receive, send)
            return
        person = person_of(scope)
        if person is not None and not is_static(scope["path"]):
            wait = await rate_limiter().acquire(person, cost_of(scope))
            if wait > 0:
                await refuse(scope, send, math.ceil(wait))
                return
        slot = Slot(self.slots, person or address_of(scope))
        try:
            await slot.acquire()
        except QueueIsFull:
            await refuse(scope, send, RETRY_AFTER)
            return
        try:
            await self.application({**scope, "slot": slot}, receive, release_at_answer(slot, send))
        finally:
            slot.release()


class Slot:
    """A request's slot; a view that streams its answer acquires it again for each piece."""

    def __init__(self, slots: FairSemaphore, key: str) -> None:
        self.slots, self.key = slots, key
        self.held = False

    async def acquire(self) -> None:
        await self.slots.acquire(self.key)
        self.held = True

    def release(self) -> None:
        if self.held:
            self.held = False
            self.slots.release(self.key)

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(self, *_about: object) -> None:
        self.release()


def release_at_answer(slot: Slot, send: Send) -> Send:
    """Releases the slot when the answer begins: its thread has ended, and a slow reader holds none."""

    async def answered(message: Message) -> None:
        slot.release()
        await send(message)

    return answered


class HandshakeLimiter:
    """Limits websocket handshakes, each of which reads a session from the database."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.slots = FairSemaphore(HANDSHAKES, HANDSHAKES_WAITING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        person = person_of(scope)
        if person is not None and await rate_limiter().acquire(person, CONNECT) > 0:
            await close_at_once(receive, send)
            return
        slot = Slot(self.slots, person or address_of(scope))

        try:
            await slot.acquire()
        except QueueIsFull:
            await close_at_once(receive, send)
            return
        try:
            await self.application(scope, receive, release_at_answer(slot, send))
        finally:
            slot.release()


async def close_at_once(receive: Receive, send: Send) -> None:
    """Accepts and closes a socket, so that the page reads the code and connects again later."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": TRY_AGAIN})


def cost_of(scope: Scope) -> float:
    default = READ if scope["method"] in {"GET", "HEAD"} else WRITE
    try:
        view = resolve(scope["path"]).func
    except Resolver404:
        return default
    return float(getattr(view, "cost", default))


def is_static(path: str) -> bool:
    return path.startswith("/static/")


async def refuse(scope: Scope, send: Send, seconds: int) -> None:
    kind, body = _refusal(language_of(scope), scope["path"].startswith("/api/"), seconds)
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"retry-after", str(seconds).encode()),
        (b"cache-control", b"private, no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"content-security-policy", b"default-src 'none'; style-src 'self'"),
    ]
    await send({"type": "http.response.start", "status": TOO_MANY, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@lru_cache(maxsize=64)
def _refusal(language: str, as_json: bool, seconds: int) -> tuple[bytes, bytes]:
    with translation.override(language):
        if not as_json:
            return b"text/html; charset=utf-8", loader.get_template("429.html").render().encode()
        words = _("Too many requests at once. Please wait a moment.")
        error = {"code": "too_many", "words": words, "retry_after": seconds}
        return b"application/json", json.dumps({"error": error}).encode()
