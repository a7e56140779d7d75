"""Bounds one answer: the time and bytes on its connection, and its body before and after decompression."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator

from inference.base.outbound.errors import BadAnswer, LimitExceeded
from inference.base.outbound.policy import Limits

PIECE = 64 * 1024
ENCODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # the window bits that zlib takes for them
FRAMING = 8  # the frames of a chunked body may take so many times the body's own limit
ENDLESS = float("inf")


class Meter:
    """Counts what one request receives, headers and frames included, and how long it may wait."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._deadline = time.monotonic() + (
            ENDLESS if limits.total_seconds is None else limits.total_seconds
        )
        self.next_answer()

    def wait(self, at_most: float | None = None) -> float:
        """Returns how long the next step may take, before which it checks what was received so far."""
        if self._received > self._at_most:
            raise LimitExceeded(self._too_large)
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise LimitExceeded("total_time")
        return min(left, self.limits.silent_seconds, ENDLESS if at_most is None else at_most)

    def timed_out(self) -> LimitExceeded:
        """Returns the error for a step that took as long as `wait` allowed."""
        return LimitExceeded("total_time" if self._deadline <= time.monotonic() else "silence")

    def add(self, count: int) -> None:
        self._received += count

    def headers_ended(self) -> None:
        body = self.limits.body_bytes
        self._at_most = ENDLESS if body is None else self._received + PIECE + FRAMING * body
        self._too_large = "body_too_large"

    def next_answer(self) -> None:
        """Begins to count the headers of the answer after a redirect; the time goes on."""
        self._received, self._at_most, self._too_large = (
            0,
            float(self.limits.header_bytes),
            "headers_too_large",
        )


class Body:
    """Decodes a body piece by piece and counts it."""

    def __init__(self, limits: Limits, encoding: str = "") -> None:
        self._limits = limits
        self._encoding = encoding.strip().lower()
        if self._encoding not in {"", "identity", *ENCODINGS}:
            raise BadAnswer("encoding")
        self._zlib = self._new() if self.compressed else None
        self._begun = self._between = False
        self._sent = self._decoded = 0

    @property
    def compressed(self) -> bool:
        return self._encoding in ENCODINGS

    def check_length(self, length: int | None) -> None:
        """Refuses a body that says beforehand that it is too large."""
        if length is not None and self._limits.body_bytes is not None and length > self._limits.body_bytes:
            raise LimitExceeded("body_too_large")

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yields what these bytes decode to, in pieces of at most 64 KiB."""
        self._sent += len(data)
        self.check_length(self._sent)
        for piece in self._decode(data) if self._zlib else (data,):
            self._decoded += len(piece)
            if self._limits.decoded_bytes is not None and self._decoded > self._limits.decoded_bytes:
                raise LimitExceeded("decoded_too_large")
            if piece:
                yield piece

    def finish(self) -> None:
        """Raises BadAnswer if a compressed body stops in its middle."""
        if self._zlib and self._begun and not self._between:
            raise BadAnswer("cut")

    def _new(self) -> zlib._Decompress:
        return zlib.decompressobj(ENCODINGS[self._encoding])

    def _decode(self, data: bytes) -> Iterator[bytes]:
        assert self._zlib is not None
        while data:
            if self._between:  # another member of a gzip file
                self._zlib, self._between = self._new(), False
            yield self._decompress(data)
            data = self._zlib.unconsumed_tail
            if self._zlib.eof:
                data, self._between = self._zlib.unused_data, True
                if data and self._encoding == "deflate":
                    raise BadAnswer("encoding")
        while not self._zlib.eof and (piece := self._decompress(b"")):
            yield piece
        self._between = self._zlib.eof

    def _decompress(self, data: bytes) -> bytes:
        assert self._zlib is not None
        try:
            return self._zlib.decompress(data, PIECE)
        except zlib.error:
            if self._begun or self._encoding != "deflate":
                raise BadAnswer("encoding") from None
        finally:
            self._begun = True
        self._zlib = zlib.decompressobj(-15)  # "deflate" without zlib's header, as some servers send it
        return self._decompress(data)
