"""Decides where a request may go: checks the URL, looks the name up once, and checks every address found.

The caller connects to the addresses that `addresses` returned, so that a name that changes its answer later
(DNS rebinding) changes nothing.
"""

from __future__ import annotations

import ipaddress
import queue
import re
import socket
import threading
import urllib.parse
from collections.abc import Callable, Iterable

from inference.base.outbound.addresses import (
    BLOCKED_PORTS,
    IP,
    LISTABLE,
    PUBLIC,
    Target,
    is_local_name,
    kind_of,
    parse_url,
    unwrapped,
)
from inference.base.outbound.errors import Refused, Unreachable
from inference.base.outbound.policy import Policy

Resolver = Callable[[str, int], Iterable[str]]
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MOST_ADDRESSES = 4  # so many are tried
LOCATION = re.compile(r"[!-\[\]-~\u00a1-\U0010ffff]*")  # neither spaces, control characters nor backslashes
# What a redirect to another origin keeps; credentials may be in any other header.
HARMLESS_HEADERS = frozenset(
    {"accept", "accept-encoding", "accept-language", "content-type", "range", "user-agent"}
    | {"if-match", "if-none-match", "if-modified-since", "if-range"}
)


def system_resolver(host: str, port: int) -> list[str]:
    """Asks the system, as every program does; the scope of a link-local address stays."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Guard:
    """Applies one policy. Keeps no state, so threads can share it."""

    def __init__(self, policy: Policy, resolver: Resolver = system_resolver) -> None:
        self.policy = policy
        self._resolver = resolver

    def target(self, url: str) -> Target:
        """Checks what can be seen of a URL without a lookup; raises Refused."""
        target = parse_url(url)
        listed = self.policy.listed
        if target.port in BLOCKED_PORTS and not listed.has_exactly(target.host, target.ip, target.port):
            raise Refused("blocked_port")
        if target.ip is not None:
            self._check(target, target.ip)
        elif is_local_name(target) and not self._may_be_local(target):
            raise Refused("local_name")
        return target

    def addresses(self, target: Target, seconds: float) -> list[IP]:
        """Looks the name up once and returns its addresses, at most four; raises if one is not allowed."""
        if target.ip is not None:
            return [target.ip]
        found = [unwrapped(address) for address in self._looked_up(target, seconds)]
        for address in found:
            self._check(target, address)
        return list(dict.fromkeys(found))[:MOST_ADDRESSES]

    def redirected(self, source: Target, location: str, followed: int) -> Target:
        """Returns where a redirect leads, after `followed` others; raises Refused."""
        if not self.policy.redirects:
            raise Refused("redirect")
        if followed >= self.policy.redirects:
            raise Refused("too_many_redirects")
        if not LOCATION.fullmatch(location):
            raise Refused("characters")
        try:
            joined = urllib.parse.urljoin(source.url, location)
        except ValueError:
            raise Refused("host") from None
        target = self.target(joined)
        if source.secure and not target.secure:
            raise Refused("downgrade")
        return target

    def _may_be_local(self, target: Target) -> bool:
        listed = self.policy.listed
        networks = any(only in (None, target.port) for _, only in listed.networks)
        return networks or listed.has_host(target.host, target.port)

    def _check(self, target: Target, address: IP) -> None:
        listed = self.policy.listed
        kind = kind_of(address)
        if kind == PUBLIC and not (target.secure or self.policy.plain_http):
            raise Refused("plain_http")
        if kind == PUBLIC and not is_local_name(target):
            return
        if kind != PUBLIC and kind not in LISTABLE:
            raise Refused(kind)
        if not (listed.has_host(target.host, target.port) or listed.has_address(address, target.port)):
            raise Refused("local_name" if kind == PUBLIC else kind)

    def _looked_up(self, target: Target, seconds: float) -> list[IP]:
        """Returns the addresses of a name. A thread bounds the time: the system's call has no limit."""
        answers: queue.SimpleQueue[list[str] | None] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                answers.put(list(self._resolver(target.host, target.port)))
            except (OSError, UnicodeError):
                answers.put(None)

        threading.Thread(target=look_up, name="lookup", daemon=True).start()
        try:
            found = answers.get(timeout=max(seconds, 0.001))
        except queue.Empty:
            raise Unreachable("lookup") from None
        if not found:
            raise Unreachable("lookup")
        return [ipaddress.ip_address(address) for address in found]


def headers_after(
    source: Target, target: Target, headers: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    """Returns the headers that a redirected request keeps: all within one origin, else the harmless ones."""
    if source.origin == target.origin:
        return list(headers)
    return [(name, value) for name, value in headers if name.lower() in HARMLESS_HEADERS]
