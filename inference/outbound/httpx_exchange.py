"""The part of the httpx transports that neither reads nor writes: what is sent, accepted and raised."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any

import httpcore2
import httpx2

from inference.base.outbound.addresses import IP, Target
from inference.base.outbound.answer import check_type, readable_location
from inference.base.outbound.client import METHODS
from inference.base.outbound.counting import CLOSED, Ending
from inference.base.outbound.errors import BadAnswer, LimitExceeded, OutboundError, Refused, Unreachable
from inference.base.outbound.guard import HARMLESS_HEADERS, REDIRECTS, Guard, Resolver
from inference.base.outbound.metering import Body, Meter
from inference.base.outbound.policy import Policy

CHAIN = "grokweb_redirects"  # httpx copies a request's extensions into the request after a redirect
REPLACED = frozenset(
    {b"host", b"connection", b"accept-encoding", b"upgrade", b"te", b"expect", b"keep-alive"}
)
FRAMED = frozenset({"content-length", "transfer-encoding"})
# What the library raises; all of it becomes an OutboundError.
FAILURES = (
    OutboundError,
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)


class GuardError(httpx2.TransportError):
    """The guard refused a request or its answer; `__cause__` says why. Trying again changes nothing."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A request that was redirected: where it went last, how often, and the time it may still take."""

    target: Target
    followed: int
    meter: Meter


class Exchange:
    """One request and its answer: all that does not read or write."""

    def __init__(self, policy: Policy, resolver: Resolver, request: httpx2.Request) -> None:
        self.policy, self.guard, self.request = policy, Guard(policy, resolver), request
        self.ending = Ending(policy.purpose)
        self.ended = False  # the server has sent its last byte
        self.body: Body | None = None

    def begin(self) -> httpcore2.Request:
        """Returns what to send; raises Refused."""
        if self.request.method not in METHODS:
            raise Refused("method")
        self.target = self.guard.target(str(self.request.url))
        chain: Chain | None = self.request.extensions.get(CHAIN)
        self.meter = chain.meter if chain else Meter(self.policy.limits)
        self.meter.next_answer()
        self.followed = chain.followed if chain else 0
        headers = [(name, value) for name, value in self.request.headers.raw if name.lower() not in REPLACED]
        if chain and chain.target.origin != self.target.origin:
            headers = self._harmless(chain.target, headers)
        identity = self.request.headers.get("accept-encoding", "").strip().lower() == "identity"
        headers.append((b"Host", self.target.authority.encode()))
        headers.append((b"Connection", b"close"))
        headers.append((b"Accept-Encoding", b"identity" if identity else b"gzip, deflate"))
        return httpcore2.Request(
            method=self.request.method,
            url=self.url(),
            headers=headers,
            content=self.request.stream,
            extensions={"timeout": self.request.extensions.get("timeout", {})},
        )

    def url(self) -> httpcore2.URL:
        """Returns the URL as the guard read it, not as the library did."""
        return httpcore2.URL(
            scheme=self.target.scheme, host=self.target.host, port=self.target.port, target=self.target.path
        )

    def addresses(self) -> list[IP]:
        return self.guard.addresses(self.target, self.meter.wait(self.policy.limits.connect_seconds))

    def accept(self, answer: httpcore2.Response) -> list[tuple[bytes, bytes]]:
        """Checks the headers of the answer and returns those for the caller; raises OutboundError."""
        self.meter.headers_ended()
        if answer.status < 200 or answer.extensions["http_version"] not in (b"HTTP/1.0", b"HTTP/1.1"):
            raise BadAnswer("malformed")
        headers = httpx2.Headers(answer.headers)
        has_body = self.request.method != "HEAD" and answer.status not in (204, 304)
        self.body = Body(self.policy.limits, headers.get("content-encoding", "") if has_body else "")
        if answer.status in REDIRECTS and "location" in headers:
            written = next(value for name, value in answer.headers if name.lower() == b"location")
            location = readable_location(written.decode("latin-1"))
            self.guard.redirected(self.target, location, self.followed)
            self.request.extensions[CHAIN] = Chain(self.target, self.followed + 1, self.meter)
        elif has_body:
            check_type(self.policy, answer.status, headers.get("content-type", ""))
        if has_body and (length := headers.get("content-length", "")).isdecimal():
            self.body.check_length(int(length))
        return [
            (name, value)
            for name, value in answer.headers
            if not (self.body.compressed and name.lower() in (b"content-encoding", b"content-length"))
        ]

    def failed(self, error: Exception) -> OutboundError:
        """Counts one of FAILURES and returns what it means."""
        cause = self._cause(error)
        self.ending.count(CLOSED if cause.reason == "closed" else cause.outcome)
        return cause

    def httpx_error(self, cause: OutboundError) -> httpx2.TransportError:
        """Returns the error that httpx's callers know; it is raised from its cause."""
        return _kind(cause)(str(cause), request=self.request)

    def _cause(self, error: Exception) -> OutboundError:
        if isinstance(error, OutboundError):
            return error
        if isinstance(error, httpcore2.LocalProtocolError):
            return Refused("header")
        if isinstance(error, httpcore2.TimeoutException):
            return LimitExceeded("silence")  # the caller's own limit
        if isinstance(error, httpcore2.ConnectError):
            return Unreachable("connect")
        if isinstance(error, httpcore2.ProtocolError):
            return BadAnswer("cut" if self.ended else "malformed")
        return BadAnswer("cut")

    def _harmless(self, before: Target, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Returns the headers that a request to another origin keeps; raises Refused if it has a body."""
        if before.secure and not self.target.secure:
            raise Refused("downgrade")
        names = {name.lower().decode("latin-1") for name, _ in headers}
        if names & FRAMED and self.request.headers.get("content-length") != "0":
            raise Refused("redirect_with_body")
        return [
            (name, value) for name, value in headers if name.lower().decode("latin-1") in HARMLESS_HEADERS
        ]


def _kind(cause: OutboundError) -> type[httpx2.TransportError]:
    if isinstance(cause, Unreachable):
        return httpx2.ConnectError
    if cause.reason in ("silence", "total_time"):
        return httpx2.ReadTimeout
    return httpx2.RemoteProtocolError if cause.reason in ("cut", "malformed") else GuardError


def tls_error(error: Exception) -> Unreachable:
    """Tells a wrong certificate from a failed handshake; the library keeps what `ssl` raised as the cause."""
    certificate = isinstance(error.__cause__, ssl.SSLCertVerificationError)
    return Unreachable("certificate" if certificate else "tls")


def extensions_of(answer: httpcore2.Response) -> dict[str, Any]:
    """Returns the extensions that httpx reads; the raw connection is not among them."""
    return {name: answer.extensions[name] for name in ("http_version", "reason_phrase")}
