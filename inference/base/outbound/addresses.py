"""Reads URLs strictly and tells which IP addresses are public. Pure functions; no network.

Text that two programs could read differently is refused, not repaired: user names, backslashes, octal or
short IPv4 forms, zone ids, ports with signs or zeros. The kinds of addresses follow IANA's special-purpose
registries; they are a table here because `ipaddress.is_private` differs between versions of Python.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
import urllib.parse
from dataclasses import dataclass, field

from inference.base.outbound.errors import Refused

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
MAX_URL = 8192
DEFAULT_PORTS = {"http": 80, "https": 443}
PUBLIC = "public"
# Kinds that an operator can list; all others except PUBLIC are never allowed.
LISTABLE = frozenset({"loopback", "private", "link_local", "shared", "benchmark"})

URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?")
PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
# IDNA 2003 and 2008 turn these into different names.
DEVIATIONS = frozenset("ßẞς")
PATH_SAFE = "!$%&'()*+,-./:;=@_~[]?"

LOCAL_SUFFIXES = (
    *("localhost", "localdomain", "local", "internal", "intranet", "lan", "home", "corp", "private"),
    *("home.arpa", "in-addr.arpa", "ip6.arpa", "test", "example", "invalid", "onion", "alt"),
)
# Ports of other protocols, whose servers could take a request for their own: the list of the Fetch standard,
# with Redis and memcached.
OTHER_PROTOCOLS = (
    "1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 115 "
    "117 119 123 135 137 139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 "
    "563 587 601 636 989 990 993 995 1719 1720 1723 2049 3659 4045 4190 5060 5061 6000 6379 6566 6665 "
    "6666 6667 6668 6669 6679 6697 10080 11211"
)
BLOCKED_PORTS = frozenset(map(int, OTHER_PROTOCOLS.split()))

# The first network that contains an address gives its kind.
KINDS = [
    (ipaddress.ip_network(network), kind)
    for kind, networks in {
        "metadata": "169.254.169.254 169.254.170.2 169.254.170.23 100.100.100.200 192.0.0.192 168.63.129.16 "
        "fd00:ec2::254 fd00:ec2::23 fd20:ce::254",
        "unspecified": "0.0.0.0/8 ::/128",
        "loopback": "127.0.0.0/8 ::1/128",
        "private": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7",
        "shared": "100.64.0.0/10",
        "link_local": "169.254.0.0/16 fe80::/10",
        "documentation": "192.0.2.0/24 198.51.100.0/24 203.0.113.0/24 2001:db8::/32 3fff::/20",
        "benchmark": "198.18.0.0/15 2001:2::/48",
        "multicast": "224.0.0.0/4 ff00::/8",
        "tunnel": "192.88.99.0/24 2001::/32 2002::/16 64:ff9b:1::/48 ::ffff:0:0:0/96",
        "reserved": "192.0.0.0/24 240.0.0.0/4 2001::/23",
        PUBLIC: "0.0.0.0/0 2000::/3",
    }.items()
    for network in networks.split()
]
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # NAT64: the last 32 bits are an IPv4 address


@dataclass(frozen=True, slots=True)
class Target:
    """Says where a request goes: `host` in lower-case ASCII, `ip` if the URL has an address for a name."""

    scheme: str
    host: str
    port: int
    path: str = field(repr=False)  # with the query
    ip: IP | None = None

    @property
    def secure(self) -> bool:
        return self.scheme == "https"

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Returns the value of the Host header."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == DEFAULT_PORTS[self.scheme] else f"{name}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_url(url: str) -> Target:
    """Returns the target of an absolute URL; raises Refused."""
    if len(url) > MAX_URL:
        raise Refused("url_too_long")
    if any(map(_is_forbidden, url)):
        raise Refused("characters")
    found = URL.fullmatch(url)
    if found is None or (scheme := found[1].lower()) not in DEFAULT_PORTS:
        raise Refused("scheme")
    if "@" in found[2]:
        raise Refused("user_info")
    host, port = _split(found[2])
    name, ip = parse_host(host)
    path = urllib.parse.quote((found[3] or "/") + (found[4] or ""), safe=PATH_SAFE)
    return Target(scheme, name, DEFAULT_PORTS[scheme] if port is None else port, path, ip)


def _is_forbidden(character: str) -> bool:
    return character in " \\" or unicodedata.category(character) in {"Cc", "Cs", "Zs", "Zl", "Zp"}


def _split(authority: str) -> tuple[str, int | None]:
    """Returns host and port; the brackets of an IPv6 address stay."""
    end = authority.find("]") + 1
    if authority.startswith("[") and not end:
        raise Refused("host")
    host, colon, port = authority[end:].partition(":")
    return authority[:end] + host, parse_port(port) if colon else None


def parse_port(text: str) -> int:
    if not PORT.fullmatch(text) or int(text) > 65535:
        raise Refused("port")
    return int(text)


def parse_host(host: str) -> tuple[str, IP | None]:
    """Returns a name in lower-case ASCII without the final dot, and the address if it is one."""
    if host.startswith("["):
        return _ipv6(host)
    if not host.isascii():
        host = _ascii(host)
    name = host.lower().removesuffix(".")
    labels = name.split(".")
    if len(name) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        raise Refused("host")
    if not NUMBER.fullmatch(labels[-1]):
        return name, None
    try:
        return name, ipaddress.IPv4Address(name)
    except ValueError:
        raise Refused("unusual_ipv4") from None


def _ipv6(host: str) -> tuple[str, IP]:
    if not host.endswith("]"):
        raise Refused("host")
    if "%" in host:
        raise Refused("zone")
    try:
        address = ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        raise Refused("host") from None
    return str(address), unwrapped(address)


def _ascii(host: str) -> str:
    if DEVIATIONS & set(host):
        raise Refused("idna")
    if any(unicodedata.category(character) == "Cf" for character in host):
        raise Refused("characters")
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise Refused("idna") from None


def is_local_name(target: Target) -> bool:
    """Tells whether a name has a meaning on this machine or in a local network only."""
    if target.ip is not None:
        return False
    name = target.host
    return "." not in name or any(name.endswith(f".{suffix}") for suffix in LOCAL_SUFFIXES)


def unwrapped(address: IP) -> IP:
    """Returns the IPv4 address that the system connects to for an IPv4-mapped IPv6 address."""
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address


def kind_of(address: IP) -> str:
    """Returns "public", or the reason for which an address is not (a key of REASONS)."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id:
            return "zone"
        if address in TRANSLATED:
            return PUBLIC if kind_of(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)) == PUBLIC else "tunnel"
    address = unwrapped(address)
    return next((kind for network, kind in KINDS if address in network), "reserved")
