"""In front of Django: who asks too much waits or is refused here, before a thread or a query is spent on it.

    http = HttpGate(get_asgi_application())
    websocket = HandshakeGate(routes)

Both know a person by their session once this process has seen it (scopes.py), else by their address.
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

from chat.core.budget import CONNECT, READ, WRITE, budget
from chat.core.places import RETRY_AFTER, Crowded, Places
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
UNGATED = {"/healthz"}  # says that this process lives, also when everybody waits
TOO_MANY = 429
TRY_AGAIN = 1013


def costs(units: float) -> Callable[[View], View]:
    """States what one request of a view costs (chat/core/budget.py); without it READ or WRITE."""

    def mark(view: View) -> View:
        view.cost = units  # type: ignore[attr-defined]
        return view

    return mark


class HttpGate:
    def __init__(self, application: Application) -> None:
        self.application = application
        self.places = Places(HTTP_THREADS, HTTP_WAITING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNGATED:
            await self.application(scope, receive, send)
            return
        person = person_of(scope)
        if person is not None and not is_static(scope["path"]):
            wait = await budget().take(person, cost_of(scope))
            if wait > 0:
                await refuse(scope, send, math.ceil(wait))
                return
        place = Place(self.places, person or address_of(scope))
        try:
            await place.enter()
        except Crowded:
            await refuse(scope, send, RETRY_AFTER)
            return
        try:
            await self.application({**scope, "place": place}, receive, leaving(place, send))
        finally:
            place.leave()


class Place:
    """A request's place; a view that works on while it streams takes it again for each piece."""

    def __init__(self, places: Places, key: str) -> None:
        self.places, self.key = places, key
        self.held = False

    async def enter(self) -> None:
        await self.places.take(self.key)
        self.held = True

    def leave(self) -> None:
        if self.held:
            self.held = False
            self.places.give_back(self.key)

    async def __aenter__(self) -> None:
        await self.enter()

    async def __aexit__(self, *_about: object) -> None:
        self.leave()


def leaving(place: Place, send: Send) -> Send:
    """Gives the place back when the answer begins: its thread has ended, and a slow reader holds none."""

    async def answered(message: Message) -> None:
        place.leave()
        await send(message)

    return answered


class HandshakeGate:
    """Websockets: the handshake looks the session up, and one person may not fill that queue either."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.places = Places(HANDSHAKES, HANDSHAKES_WAITING)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        person = person_of(scope)
        if person is not None and await budget().take(person, CONNECT) > 0:
            await turn_away(receive, send)
            return
        place = Place(self.places, person or address_of(scope))

        try:
            await place.enter()
        except Crowded:
            await turn_away(receive, send)
            return
        try:
            await self.application(scope, receive, leaving(place, send))
        finally:
            place.leave()


async def turn_away(receive: Receive, send: Send) -> None:
    """Accepted and closed at once, so that the page reads the code and comes back with a delay."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.close", "code": TRY_AGAIN})


def cost_of(scope: Scope) -> float:
    usual = READ if scope["method"] in {"GET", "HEAD"} else WRITE
    try:
        view = resolve(scope["path"]).func
    except Resolver404:
        return usual
    return float(getattr(view, "cost", usual))


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
