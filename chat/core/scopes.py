"""Reads person, address and language from an ASGI scope, before any thread or query."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from typing import Any

from django.conf import settings
from django.http import parse_cookie
from django.utils import translation
from django.utils.translation.trans_real import parse_accept_lang_header

KNOWN_SECONDS = 300.0
MOST_SESSIONS = 20_000

# Session -> person and until when; filled by whoever has looked into the database. It only says whom a
# request counts against, so that a session that ended meanwhile does no harm here.
_people: OrderedDict[str, tuple[str, float]] = OrderedDict()


def remember_person(session: str, person: object) -> None:
    """Remembers that a session was just found to be that person's."""
    _people[session] = (str(person), time.monotonic() + KNOWN_SECONDS)
    _people.move_to_end(session)
    if len(_people) > MOST_SESSIONS:
        _people.popitem(last=False)


def person_of(scope: dict[str, Any]) -> str | None:
    """Returns the id of the session's person, if this process has seen the session lately."""
    person, until = _people.get(_cookie(header(scope, b"cookie"), settings.SESSION_COOKIE_NAME), ("", 0.0))
    return person if until > time.monotonic() else None


def has_session(cookies: str) -> bool:
    value = _cookie(cookies, settings.SESSION_COOKIE_NAME)
    return 16 <= len(value) <= 64 and value.isascii() and value.isalnum()


def address_of(scope: dict[str, Any]) -> str:
    """Returns the client's address; for IPv6 the network of one customer, who has all addresses in it."""
    client = scope.get("client") or ["unknown"]
    try:
        address = ipaddress.ip_address(str(client[0]))
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.IPv6Network((address, 64), strict=False).network_address)
    return str(address)


def header(scope: dict[str, Any], name: bytes) -> str:
    return "; ".join(value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name)


def language_of(scope: dict[str, Any]) -> str:
    """Returns the profile's language, else the cookie's, else the browser's."""
    candidates = [
        getattr(scope.get("user"), "language", ""),
        _cookie(header(scope, b"cookie"), settings.LANGUAGE_COOKIE_NAME),
    ]
    candidates += [code for code, _ in parse_accept_lang_header(header(scope, b"accept-language"))]
    for candidate in candidates:
        try:
            if candidate:
                return translation.get_supported_language_variant(candidate)
        except LookupError:
            continue
    return settings.LANGUAGE_CODE


def _cookie(cookies: str, name: str) -> str:
    """Returns the value that Django's own middleware would find; "" if there is none."""
    return parse_cookie(cookies).get(name, "")
