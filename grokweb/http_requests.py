"""Refuses bodies that are too large or do not fit on the disk; answers wait for clients that do not read.

Daphne's command line has no options for either.
"""

from __future__ import annotations

import asyncio
from typing import Any

from daphne.http_protocol import WebRequest
from django.conf import settings
from twisted.internet import reactor, task  # web_server.py has imported Daphne, which chooses the reactor

from chat.core.scopes import has_session
from chat.core.size_limits import BODY_BYTES
from grokweb.asgi_wrappers import NO_ROOM_BODY
from inference.base import disk_space

UPLOADS = {path.encode(): limit for path, limit in settings.SIZES.doors.items()}


def _refusal(status: bytes, body: bytes) -> bytes:
    """Returns an answer without words, because the reader's language is not known yet.

    Its code tells a page that no proxy in front has answered.
    """
    head = b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: application/json\r\n" % status
    return head + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


TOO_LARGE = _refusal(b"413 Content Too Large", b'{"error": {"code": "too_large", "words": ""}}')
# For a body, or Django's copy of it, that does not fit on the disk of temporary files.
NO_ROOM = _refusal(b"507 Insufficient Storage", NO_ROOM_BODY)
# Data that still arrive are discarded, so that the answer arrives before the connection ends.
TOO_LARGE_SECONDS = 1.0


class Request(WebRequest):  # type: ignore[misc]  # daphne has no types
    """Refuses a body that is too large when its length is announced, or as soon as that much has come.

    Its answers wait while the client does not read: it is a producer in Twisted's sense, as Socket is.
    """

    received = 0
    refused = False
    limit = BODY_BYTES

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.drained = asyncio.Event()
        self.drained.set()

    def gotLength(self, length: int | None) -> None:
        path = self.channel._path.partition(b"?")[0]  # `path` is set when the body is there
        cookies = b"; ".join(self.requestHeaders.getRawHeaders(b"cookie", []))
        # Anonymous visitors send no files: nothing of theirs is stored until a view allows it.
        self.limit = UPLOADS.get(path, BODY_BYTES) if has_session(cookies.decode("latin-1")) else BODY_BYTES
        if length is not None and length > self.limit:
            self._refuse()
        super().gotLength(0 if self.refused else length)

    def handleContentChunk(self, data: bytes) -> None:
        self.received += len(data)
        if self.received > self.limit and not self.refused:
            self._refuse()
        if not self.refused:
            try:
                super().handleContentChunk(data)
                self.content.flush()  # a larger one is in a temporary file
            except OSError as error:
                if not disk_space.is_unwritable(error):
                    raise
                self._refuse(NO_ROOM)

    def process(self) -> Any:
        self.requestHeaders.removeHeader(
            b"daphne-root-path"
        )  # a visitor cannot choose the root path of the site
        return self.channel.loseConnection() if self.refused else super().process()

    def handle_reply(self, message: dict[str, Any]) -> None:
        streams = message["type"] == "http.response.body" and message.get("more_body")
        if streams and not self.producer and not self.finished and self.channel is not None:
            self.registerProducer(self, True)
        super().handle_reply(message)

    def pauseProducing(self) -> None:
        self.drained.clear()

    def resumeProducing(self) -> None:
        self.drained.set()

    def stopProducing(self) -> None:
        self.drained.set()

    def finish(self) -> None:
        if self.producer:
            self.unregisterProducer()
        super().finish()

    def connectionLost(self, reason: Any) -> None:
        self.drained.set()
        super().connectionLost(reason)

    def _refuse(self, answer: bytes = TOO_LARGE) -> None:
        self.refused = True
        self.requestHeaders.removeHeader(b"expect")  # no "100 Continue" after the answer
        channel = self.channel
        channel.transport.write(answer)
        task.deferLater(reactor, TOO_LARGE_SECONDS, channel.loseConnection)
