"""A session for libraries that use requests, under a policy of `inference.base.outbound`.

Requests is no dependency of the service: who passes this session to a library has it installed. Every request
goes through the guarded client; what the library says about proxies, certificates and time limits, and what
the environment says, has no effect. Cookies are not kept.

An error is one of requests' own whose `__cause__` is the OutboundError.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from inference.base.outbound.addresses import parse_url
from inference.base.outbound.answer import Answer
from inference.base.outbound.client import OWN_HEADERS, Client
from inference.base.outbound.errors import OutboundError, Refused, Unreachable
from inference.base.outbound.guard import HARMLESS_HEADERS, Resolver, system_resolver
from inference.base.outbound.policy import Policy


class GuardError(requests.RequestException):
    """The guard refused a request or its answer; `__cause__` says why. Trying again changes nothing."""


class GuardedSession(requests.Session):
    """A session whose every connection is the guarded client's."""

    def __init__(self, policy: Policy, resolver: Resolver = system_resolver) -> None:
        super().__init__()
        self.trust_env = False
        self.max_redirects = policy.redirects
        self.adapters.clear()
        for scheme in ("http://", "https://"):
            self.mount(scheme, GuardedAdapter(policy, resolver))

    def rebuild_auth(self, prepared_request: Any, response: Any) -> None:
        """Requests calls this for each redirect: another origin gets neither credentials nor a body."""
        try:
            before, after = parse_url(response.request.url), parse_url(prepared_request.url)
            if before.origin == after.origin:
                return
            if prepared_request.body:
                raise Refused("redirect_with_body")
        except Refused as cause:
            raise _error(cause, prepared_request) from cause
        for name in [name for name in prepared_request.headers if name.lower() not in HARMLESS_HEADERS]:
            del prepared_request.headers[name]


class GuardedAdapter(BaseAdapter):
    """Sends one request, without following redirects: the session does that."""

    def __init__(self, policy: Policy, resolver: Resolver = system_resolver) -> None:
        super().__init__()
        self._client = Client(policy, resolver)

    def send(self, request: Any, *args: Any, **options: Any) -> requests.Response:
        headers = {
            name: str(value) for name, value in request.headers.items() if name.lower() not in OWN_HEADERS
        }
        body = request.body.encode() if isinstance(request.body, str) else request.body
        if body is not None and not isinstance(body, bytes):
            raise TypeError("a body must be text or bytes")
        try:
            answer = self._client.open(request.method, request.url, headers, body, follow=False)
        except OutboundError as cause:
            raise _error(cause, request) from cause
        made = requests.Response()
        made.status_code, made.reason, made.url = answer.status, answer.reason, request.url
        made.headers = CaseInsensitiveDict(answer.decoded_headers)
        made.encoding = get_encoding_from_headers(made.headers)
        made.request, made.raw = request, Raw(answer, request)
        return made

    def close(self) -> None:
        """Has nothing to close: each answer has its own connection."""


class Raw:
    """The body of an answer, as `requests.Response` reads it."""

    def __init__(self, answer: Answer, request: Any) -> None:
        self._answer, self._request = answer, request

    def stream(self, size: int, decode_content: bool = True) -> Iterator[bytes]:
        """Yields the decoded body in pieces of at most `size` bytes."""
        try:
            for piece in self._answer:
                for start in range(0, len(piece), size):
                    yield piece[start : start + size]
        except OutboundError as cause:
            raise _error(cause, self._request) from cause

    def close(self) -> None:
        self._answer.close()


def _error(cause: OutboundError, request: Any) -> requests.RequestException:
    kinds = {
        "silence": requests.ReadTimeout,
        "total_time": requests.ReadTimeout,
        "certificate": requests.exceptions.SSLError,
        "tls": requests.exceptions.SSLError,
        "cut": requests.ConnectionError,
        "malformed": requests.ConnectionError,
    }
    other = requests.ConnectionError if isinstance(cause, Unreachable) else GuardError
    return kinds.get(cause.reason, other)(str(cause), request=request)
