"""Sends requests to other machines within a policy. The only client of the service that does.

    with Client(Policy("hub", listed=…)).get("https://…") as answer:
        for piece in answer:
            …

HTTP/1.1, one connection per request. Neither proxies nor anything else is read from the environment.
"""

from __future__ import annotations

import http.client
import re
import ssl
from collections.abc import Mapping

from inference.base.outbound.addresses import Target
from inference.base.outbound.answer import Answer, StrictResponse
from inference.base.outbound.connection import AsSocket, Connection, open_connection
from inference.base.outbound.counting import Ending
from inference.base.outbound.errors import BadAnswer, LimitExceeded, OutboundError, Refused
from inference.base.outbound.guard import Guard, Resolver, headers_after, system_resolver
from inference.base.outbound.metering import Meter
from inference.base.outbound.policy import Policy

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(r"[\t -~\u0080-\u00ff]*")
# The client writes these itself.
OWN_HEADERS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "upgrade", "te"}
    | {"trailer", "expect", "keep-alive", "proxy-authorization", "proxy-connection"}
)
WITHOUT_BODY = frozenset({"GET", "HEAD"})
Headers = list[tuple[str, str]]


class Client:
    """Sends requests of one purpose. Threads can share it."""

    def __init__(self, policy: Policy, resolver: Resolver = system_resolver) -> None:
        self.policy = policy
        self._guard = Guard(policy, resolver)
        self._tls: ssl.SSLContext | None = None  # loading the authorities takes time that http need not spend

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.open("GET", url, headers)

    def open(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        follow: bool = True,
    ) -> Answer:
        """Returns the answer when its headers have arrived; raises OutboundError. Statuses raise nothing.

        With `follow=False` the answer may be a redirect, which the caller passes to this client again.
        """
        ending = Ending(self.policy.purpose)
        try:
            if method not in METHODS:
                raise Refused("method")
            target, meter = self._guard.target(url), Meter(self.policy.limits)
            sent = _checked(headers or {})
            for followed in range(self.policy.redirects + 1):
                answer = self._exchange(method, target, sent, body, meter, ending)
                location = answer.location
                if location is None:
                    return answer
                try:
                    after = self._guard.redirected(target, location, followed)
                    method, body = _method_after(answer.status, method, body, target.origin == after.origin)
                except OutboundError:
                    answer.drop()
                    raise
                if not follow:
                    return answer
                answer.drop()
                target, sent = after, headers_after(target, after, sent)
            raise AssertionError("Guard.redirected bounds the redirects")
        except OutboundError as error:
            ending.count(error.outcome)
            raise

    def _exchange(
        self, method: str, target: Target, headers: Headers, body: bytes | None, meter: Meter, ending: Ending
    ) -> Answer:
        meter.next_answer()
        addresses = self._guard.addresses(target, meter.wait(meter.limits.connect_seconds))
        if target.secure and self._tls is None:
            self._tls = self.policy.tls_context()
        connection = open_connection(target, addresses, meter, self._tls if target.secure else None)
        try:
            raw = _sent(connection, method, target, headers, body)
            meter.headers_ended()
            return Answer(self.policy, method, target, raw, connection, ending)
        except OutboundError:
            connection.drop()
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.drop()
            raise _error_for(error) from None


def _sent(
    connection: Connection, method: str, target: Target, headers: Headers, body: bytes | None
) -> http.client.HTTPResponse:
    exchange = http.client.HTTPConnection(target.host, target.port)
    exchange.response_class = StrictResponse
    exchange.sock = AsSocket(connection)  # connected already: no lookup and no connection of its own
    exchange.putrequest(method, target.path, skip_host=True, skip_accept_encoding=True)
    own = [("Host", target.authority), ("Connection", "close"), ("Accept-Encoding", "gzip, deflate")]
    if body is not None or method not in WITHOUT_BODY:
        own.append(("Content-Length", str(len(body or b""))))
    for name, value in [*own, *headers]:
        exchange.putheader(name, value)
    exchange.endheaders(body)
    return exchange.getresponse()


def _checked(headers: Mapping[str, str]) -> Headers:
    for name, value in headers.items():
        if name.lower() in OWN_HEADERS or not HEADER.fullmatch(name) or not VALUE.fullmatch(value):
            raise Refused("header")
    return [*({} if _has(headers, "user-agent") else {"User-Agent": "GrokWeb"}).items(), *headers.items()]


def _has(headers: Mapping[str, str], name: str) -> bool:
    return any(given.lower() == name for given in headers)


def _error_for(error: Exception) -> OutboundError:
    """Translates an error before the body; `http.client` raises a bare HTTPException for too many headers."""
    if type(error) in (http.client.HTTPException, http.client.LineTooLong):
        return LimitExceeded("headers_too_large")
    return BadAnswer("cut" if isinstance(error, OSError) else "malformed")


def _method_after(
    status: int, method: str, body: bytes | None, same_origin: bool
) -> tuple[str, bytes | None]:
    """Returns method and body of the request after a redirect, as browsers choose them."""
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        return "GET", None
    if body is not None and not same_origin:
        raise Refused("redirect_with_body")
    return method, body
