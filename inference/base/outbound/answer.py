"""The answer to one request: its headers, and its body as it arrives, within the policy's limits."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from inference.base.outbound.addresses import Target
from inference.base.outbound.connection import Connection
from inference.base.outbound.counting import CLOSED, COMPLETE, Ending
from inference.base.outbound.errors import BadAnswer, OutboundError, Refused
from inference.base.outbound.guard import REDIRECTS
from inference.base.outbound.metering import PIECE, Body
from inference.base.outbound.policy import Policy

SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")


class Answer:
    """An answer: `status`, `headers` with lower-case names, and the decoded body piece by piece."""

    def __init__(
        self,
        policy: Policy,
        method: str,
        target: Target,
        raw: http.client.HTTPResponse,
        connection: Connection,
        ending: Ending,
    ) -> None:
        if raw.status < 200:
            raise BadAnswer("malformed")  # http.client skips "100 Continue"; nothing else was asked for
        self.status: int = raw.status
        self.reason: str = raw.reason
        self.origin = target.origin
        self.headers: dict[str, str] = {}
        for name, value in raw.getheaders():
            before = self.headers.get(name.lower())
            self.headers[name.lower()] = value if before is None else f"{before}, {value}"
        self._raw, self._connection, self._ending = raw, connection, ending
        self._closed = False
        has_body = not (method == "HEAD" or raw.status in (204, 304))
        self._length = _length(raw) if has_body else 0
        self._body = Body(policy.limits, self.headers.get("content-encoding", "") if has_body else "")
        self._body.check_length(self._length)
        if has_body and self.location is None:
            check_type(policy, raw.status, self.headers.get("content-type", ""))

    @property
    def location(self) -> str | None:
        """Returns where a redirect leads, as the server wrote it; None for another answer."""
        written = self.headers.get("location") if self.status in REDIRECTS else None
        return None if written is None else readable_location(written)

    @property
    def decoded_headers(self) -> dict[str, str]:
        """Returns the headers without those that a decoded body makes untrue."""
        untrue = {"content-encoding", "content-length"} if self._body.compressed else set()
        return {name: value for name, value in self.headers.items() if name not in untrue}

    def __iter__(self) -> Iterator[bytes]:
        """Yields the body as it arrives, in pieces of at most 64 KiB; raises OutboundError."""
        try:
            while data := self._read():
                yield from self._body.feed(data)
            self._body.finish()
        except OutboundError as error:
            self._ending.count(CLOSED if self._closed else error.outcome)
            self.drop()
            raise
        self._ending.count(COMPLETE)
        self.drop()

    def read(self) -> bytes:
        """Returns the whole body, within the policy's limits."""
        return b"".join(self)

    def close(self) -> None:
        """Drops the connection at once, from any thread; who is reading gets BadAnswer("closed")."""
        self._closed = True
        self._ending.count(CLOSED)
        self.drop()

    def drop(self) -> None:
        """Drops the connection without counting the request, because more follows."""
        self._connection.drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> bytes:
        at_most = PIECE if self._length is None else min(PIECE, self._length)
        if self._closed:
            raise BadAnswer("closed")
        if not at_most:
            return b""
        try:
            data = self._raw.read1(at_most)
        except (OSError, ValueError, http.client.HTTPException):
            raise BadAnswer("closed" if self._closed else "cut") from None
        if self._length is not None:
            self._length -= len(data)
        if self._closed:  # what arrived meanwhile may be anything
            raise BadAnswer("closed")
        if not data and self._length:
            raise BadAnswer("cut")
        return data


class StrictResponse(http.client.HTTPResponse):
    """Reads the size of a chunk as digits only: `int` would take signs, spaces and underscores too."""

    def _read_next_chunk_size(self) -> int:
        line = self.fp.readline(1024)
        size = line.split(b";", 1)[0].strip(b" \t\r\n")
        if not line.endswith(b"\n") or not SIZE.fullmatch(size):
            raise BadAnswer("malformed" if line else "cut")
        return int(size, 16)


def _length(raw: http.client.HTTPResponse) -> int | None:
    """Returns the announced length; None for a chunked body, and for one that ends with the connection."""
    given = raw.headers.get_all("content-length") or []
    if len(set(given)) > 1 or not all(re.fullmatch(r"[0-9]{1,18}", one) for one in given):
        raise BadAnswer("malformed")
    return None if raw.chunked or not given else int(given[0])


def check_type(policy: Policy, status: int, written: str) -> None:
    """Refuses a successful answer of a type that the policy does not name."""
    kind = written.split(";", 1)[0].strip().lower()
    allowed = policy.content_types
    if allowed and status < 300 and kind not in allowed and kind.split("/")[0] + "/" not in allowed:
        raise BadAnswer("content_type")


def readable_location(written: str) -> str:
    """Returns a Location header with the UTF-8 that some servers send unescaped; raises Refused."""
    try:
        return written.encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise Refused("characters") from None
