"""Answers too long addresses or headers with 414 or 431, where Twisted only disconnects.

Data that still arrive are discarded, so that the answer arrives before the connection ends.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor, task
from twisted.web.http import HTTPChannel

REQUEST_LINE_BYTES = 8192
HEADERS = 100
CLOSE_AFTER_SECONDS = 1.0

ADDRESS_TOO_LONG = (414, "URI Too Long", "This address is too long.")
HEADERS_TOO_LARGE = (431, "Request Header Fields Too Large", "The headers of this request are too large.")


class Channel(HTTPChannel):
    """Handles one connection; `totalHeadersSize` is Twisted's limit for a request line with its headers."""

    maxHeaders = HEADERS
    refused = False

    def dataReceived(self, data: bytes) -> None:
        if not self.refused:
            super().dataReceived(data)  # type: ignore[no-untyped-call]

    def lineReceived(self, line: bytes) -> None:
        if not self._in_headers and len(line) > REQUEST_LINE_BYTES:
            self._refuse(*ADDRESS_TOO_LONG)
        elif self._in_headers and self._receivedHeaderSize + len(line) > self.totalHeadersSize:
            self._refuse(*HEADERS_TOO_LARGE)
        else:
            super().lineReceived(line)  # type: ignore[no-untyped-call]

    def lineLengthExceeded(self, line: bytes) -> None:
        self._refuse(*(HEADERS_TOO_LARGE if self._in_headers else ADDRESS_TOO_LONG))

    def headerReceived(self, line: bytes) -> bool:
        if self._receivedHeaderCount >= self.maxHeaders:
            self._refuse(*HEADERS_TOO_LARGE)
            return False
        return bool(super().headerReceived(line))  # type: ignore[no-untyped-call]

    @property
    def _in_headers(self) -> bool:
        return hasattr(self, "_command")  # set by the request line, gone with the end of the request

    def _refuse(self, status: int, reason: str, words: str) -> None:
        if self.refused:
            return
        self.refused = True
        self.clearLineBuffer()  # type: ignore[no-untyped-call]
        head = (
            f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"
            # What lies below /s/ promises this of every answer (chat/sharing/middleware.py).
            "X-Robots-Tag: noindex, nofollow, noarchive\r\nCache-Control: private, no-store\r\n"
        )
        transport: Any = self.transport
        transport.write(f"{head}Content-Length: {len(words) + 1}\r\n\r\n{words}\n".encode())
        task.deferLater(reactor, CLOSE_AFTER_SECONDS, self.loseConnection)
