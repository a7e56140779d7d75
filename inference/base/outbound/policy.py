"""States what requests to other machines are for, and what each of them may do."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field

from inference.base.outbound.addresses import IP, parse_host, parse_port, parse_url
from inference.base.outbound.errors import Refused

MB = 2**20
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Purpose:
    """One thing for which the service opens connections to other machines."""

    redirects: int  # how many are followed, each checked again; 0: a redirect is refused


# To add one: a line here, and its words in chat/staff/outbound.py. Its name counts the requests.
PURPOSES = {
    "engine": Purpose(redirects=0),  # models on another server
    "hub": Purpose(redirects=5),  # downloads of models
    "push": Purpose(redirects=0),  # notifications that an answer is ready
}


@dataclass(frozen=True, slots=True)
class Limits:
    """None means no limit. `body_bytes` counts as sent, `decoded_bytes` after decompression."""

    connect_seconds: float = 10.0
    silent_seconds: float = 30.0  # without a byte
    total_seconds: float | None = 60.0  # from the first lookup to the last byte, redirects included
    header_bytes: int = 64 * 1024
    body_bytes: int | None = 8 * MB
    decoded_bytes: int | None = 32 * MB


@dataclass(frozen=True, slots=True)
class Listed:
    """Hosts, addresses and networks that an operator allows although they are private; ports are optional."""

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[tuple[Network, int | None], ...] = ()

    @classmethod
    def parse(cls, entries: Iterable[str]) -> Listed:
        """Reads "10.0.0.0/8", "gpu-box", "gpu-box:8000", "10.1.2.3:8000", "fd00::1", "[fd00::1]:8000".

        Raises ValueError with the entry that is none of these.
        """
        listed = cls()
        for entry in entries:
            listed = listed._with(entry)
        return listed

    def with_url(self, url: str) -> Listed:
        """Adds exactly the host and port of a URL that the operator configured; raises Refused."""
        target = parse_url(url)
        return self._adding(target.host, target.ip, target.port)

    def has_host(self, host: str, port: int) -> bool:
        return (host, None) in self.hosts or (host, port) in self.hosts

    def has_address(self, address: IP, port: int) -> bool:
        return any(only in (None, port) and address in network for network, only in self.networks)

    def has_exactly(self, host: str, ip: IP | None, port: int) -> bool:
        """Tells whether an entry names this port of this host."""
        if ip is None:
            return (host, port) in self.hosts
        return any(only == port and ip in network for network, only in self.networks)

    def _with(self, entry: str) -> Listed:
        try:
            if "/" in entry or (entry.count(":") > 1 and not entry.startswith("[")):
                return Listed(self.hosts, (*self.networks, (ipaddress.ip_network(entry), None)))
            end = entry.find("]") + 1
            host, colon, port = entry[end:].partition(":")
            name, ip = parse_host(entry[:end] + host)
            return self._adding(name, ip, parse_port(port) if colon else None)
        except (ValueError, Refused):
            raise ValueError(
                f"{entry!r} is not a host, an address or a network, such as gpu-box:8000 or 10.0.0.0/8"
            ) from None

    def _adding(self, host: str, ip: IP | None, port: int | None) -> Listed:
        if ip is None:
            return Listed(self.hosts | {(host, port)}, self.networks)
        return Listed(self.hosts, (*self.networks, (ipaddress.ip_network(ip), port)))


@dataclass(frozen=True, slots=True)
class Policy:
    """Allows the requests of one purpose. `content_types` like "application/json" or "text/"; empty: any."""

    purpose: str
    listed: Listed = field(default_factory=Listed)
    limits: Limits = field(default_factory=Limits)
    content_types: tuple[str, ...] = ()
    tls: ssl.SSLContext | None = None  # with an operator's own certificate authority
    plain_http: bool = True  # http:// to public addresses; to private ones it is always possible

    def __post_init__(self) -> None:
        if self.purpose not in PURPOSES:
            raise ValueError(f"{self.purpose!r} is not in PURPOSES")
        if self.tls and not (self.tls.check_hostname and self.tls.verify_mode == ssl.CERT_REQUIRED):
            raise ValueError("the TLS context must check certificates and names")

    @property
    def redirects(self) -> int:
        return PURPOSES[self.purpose].redirects

    def tls_context(self) -> ssl.SSLContext:
        return self.tls or ssl.create_default_context()
