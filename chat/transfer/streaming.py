"""Streams a file while it is made: one at a time for each person, and no longer than its reader stays."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import nullcontext, suppress
from typing import Any

from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from chat.core.errors import TooManyRequests

TURN_SECONDS = 60  # after the last piece, if the process that sent it died

_lock = threading.Lock()
_here: set[str] = set()  # people with a download in this process; the only limit while Redis is away


def send(request: HttpRequest, pieces: Generator[bytes], *, name: str, kind: str) -> HttpResponseBase:
    """Raises TooManyRequests while another file is on its way to the same person."""
    turn = Turn(f"export:{request.user.pk}")
    try:
        first, second = next(pieces, b""), next(pieces, None)
    except BaseException:
        turn.free()
        raise
    response: HttpResponseBase
    if second is None:  # short, as most are: sent in one piece, with its length
        turn.free()
        response = HttpResponse(first, content_type=kind)
    else:
        sending = Sending(pieces, turn, [first, second])
        # A synchronous iterator would be collected completely before the first byte is sent.
        sent = SendingAsync(sending, request.scope) if isinstance(request, ASGIRequest) else sending
        response = StreamingHttpResponse(sent, content_type=kind)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response


class Turn:
    def __init__(self, name: str) -> None:
        self.name = name
        with _lock:
            taken = name in _here
            _here.add(name)
        if taken or not self._claimed():
            if not taken:
                _here.discard(name)
            raise TooManyRequests(_("Another export of yours is still being sent."), retry_after=10)

    def _claimed(self) -> bool:
        try:
            return bool(cache.add(self.name, 1, timeout=TURN_SECONDS))
        except RedisError:
            return True

    def renew(self) -> None:
        with suppress(RedisError):
            cache.touch(self.name, TURN_SECONDS)

    def free(self) -> None:
        _here.discard(self.name)
        with suppress(RedisError):
            cache.delete(self.name)


class Sending:
    """The pieces of a response. Django closes it when all is sent or the reader leaves."""

    def __init__(self, pieces: Generator[bytes], turn: Turn, made: list[bytes]) -> None:
        self.pieces, self.turn, self.made = pieces, turn, made
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.turn.renew()
        return self.made.pop(0) if self.made else next(self.pieces)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.pieces.close()
            self.turn.free()


class SendingAsync:
    """Makes each piece in a thread, when the one before is on its way, in the web process.

    Each acquires a slot among the threads anew (chat/core/load_shedding.py): a slow reader holds none.
    """

    def __init__(self, sending: Sending, scope: Mapping[str, Any]) -> None:
        self.close = sending.close
        self._slot = scope.get("slot") or nullcontext()
        self._following = sync_to_async(lambda: next(sending, None))

    def __aiter__(self) -> SendingAsync:
        return self

    async def __anext__(self) -> bytes:
        async with self._slot:
            piece = await self._following()
        if piece is None:
            raise StopAsyncIteration
        return piece
