"""Refuses addresses that are not in GROKWEB_URLS in plain words, and remembers them for `manage.py doctor`.

What a visitor calls the host is never written into a page or a log.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import urlparse

from asgiref.sync import sync_to_async
from channels.security.websocket import OriginValidator
from django.core.cache import cache
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from chat.core.api import error_response
from chat.core.errors import BadInput

log = logging.getLogger(__name__)

REFUSED = "This address is not in GROKWEB_URLS"  # also the reason phrase of a refused websocket
KEY = "unknown-addresses"
KEEP_SECONDS = 7 * 24 * 3600
KEPT = 20
AGAIN_SECONDS = 60.0  # one address is noted so often by a process
PLAIN = re.compile(r"(https?://)?[a-z0-9.\-]{1,80}(:\d{1,5})?|(https?://)?\[[0-9a-f:.]{2,45}\](:\d{1,5})?")

_noted: dict[str, float] = {}


class AddressMiddleware:
    """Comes first: everything after it may ask for the request's host."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            request.get_host()
        except DisallowedHost:
            note(request.META.get("HTTP_HOST", ""))
            return _refusal(request)
        return self.get_response(request)


def _refusal(request: HttpRequest) -> HttpResponse:
    with translation.override(translation.get_language_from_request(request)):
        words = _("This address is not in GROKWEB_URLS, so the service does not answer to it.")
        more = _(
            "Use the address you were given. Whoever runs the service can add this one, and start it again."
        )
        if request.path.startswith("/api/"):
            return error_response(BadInput(f"{words} {more}"))
        return HttpResponse(f"{words}\n\n{more}\n", status=400, content_type="text/plain; charset=utf-8")


class KnownOrigins:
    """Refuses websockets of pages at other addresses, with a reason that names the problem."""

    def __init__(self, application: Any, origins: list[str]) -> None:
        self.application = application
        self.validator = OriginValidator(application, origins)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        origin = next((value for name, value in scope.get("headers", ()) if name == b"origin"), b"")
        if self._is_known(origin.decode("latin1")):
            await self.application(scope, receive, send)
            return
        await sync_to_async(note, thread_sensitive=False)(origin.decode("latin1"))
        await send({"type": "websocket.close", "reason": REFUSED})

    def _is_known(self, origin: str) -> bool:
        try:
            return bool(origin and self.validator.valid_origin(urlparse(origin)))
        except ValueError:  # it is no address
            return False


# --- For `manage.py doctor` -------------------------------------------------------------------------------


def note(address: str) -> None:
    """Remembers an address that was asked for, if it looks like one; the newest few are kept."""
    normalized = address.strip().lower()
    now = time.time()
    if not PLAIN.fullmatch(normalized) or now - _noted.get(normalized, 0.0) < AGAIN_SECONDS:
        return
    if len(_noted) >= KEPT:
        _noted.pop(min(_noted, key=_noted.__getitem__))
    _noted[normalized] = now
    log.warning("a request named an address that is not in GROKWEB_URLS; `manage.py doctor` shows it")
    with suppress(RedisError, OSError):
        newest = sorted({**unknown(), normalized: now}.items(), key=lambda pair: -pair[1])
        cache.set(KEY, dict(newest[:KEPT]), KEEP_SECONDS)


def unknown() -> dict[str, float]:
    """Addresses that were asked for in the last days, and when (seconds since 1970)."""
    return dict(cache.get(KEY) or {})
