"""Counts failed log-ins, so that nobody guesses passwords and nobody locks others out.

Who fails is counted by account and address first. Only beyond that count the account from all addresses, and
an address with all accounts: high numbers, since one address may be a school's. A browser that has logged in
to the account before carries a signed cookie and is counted by itself, so that strangers
cannot lock out the owner.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any

from allauth.account.adapter import get_adapter
from allauth.core.internal import ratelimit
from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

PASSWORDS = {
    "from_browser": "5/5m/key",  # for one account, by a browser that has logged in to it
    "from_address": "5/5m/key",  # for one account, from one address
    "account": "50/1h/key",  # for one account, from all unknown browsers
    "address": "300/1h/ip",  # for all accounts, from one address
}
# A code has six digits and three are valid at any time, so the limit for an account must be low.
CODES = {
    "from_browser": "5/5m/key",
    "from_address": "5/5m/key",
    "account": "20/1h/key",
    "address": "300/1h/ip",
}

COOKIE = "grokweb_known"
COOKIE_SECONDS = 365 * 24 * 3600
ACCOUNTS_A_BROWSER = 5
SALT = "chat.accounts.attempts"


@dataclass
class Attempt:
    """Holds an attempt that was let in; `rollback` removes it from the counts once it succeeded."""

    usages: list[ratelimit.RateLimitUsage] = field(default_factory=list)

    def rollback(self) -> None:
        """Forgets the attempt, under the name that allauth's adapter calls."""
        for usage in self.usages:
            usage.rollback()


def begin(request: HttpRequest, kind: dict[str, str], account: str) -> Attempt | None:
    """Counts an attempt on `account` (its address or id). None if there were too many."""
    attempt = Attempt()
    for action, key in _counts(request, account):
        usage = ratelimit.consume(
            request, app=f"chat.accounts.{_name(kind)}", action=action, config=kind, key=key, limit_get=True
        )
        if usage is None:
            return None
        attempt.usages.append(usage)
    return attempt


def forget(request: HttpRequest, account: str) -> None:
    """Clears the counts of an account whose password was set anew by mail."""
    for action, key in (("account", account), ("from_address", f"{account} {_address(request)}")):
        ratelimit.clear(request, app="chat.accounts.passwords", action=action, config=PASSWORDS, key=key)


def _counts(request: HttpRequest, account: str) -> list[tuple[str, str | None]]:
    browser, known = _read(request)
    if _digest(account) in known:
        return [("from_browser", f"{account} {browser}")]
    return [("from_address", f"{account} {_address(request)}"), ("account", account), ("address", None)]


def _name(kind: dict[str, str]) -> str:
    return "passwords" if kind is PASSWORDS else "codes"


def _address(request: HttpRequest) -> str:
    return str(ratelimit.truncate_ip(get_adapter().get_client_ip(request)))


# --- the cookie of browsers that have logged in -----------------------------------------------------------


def remember(request: HttpRequest, response: HttpResponse, accounts: list[str]) -> None:
    """Marks this browser as one that has logged in to `accounts` (the keys of attempt counts: address,
    id).
    """
    browser, known = _read(request)
    digests = [_digest(account) for account in accounts]
    known = [*digests, *(each for each in known if each not in digests)][: 2 * ACCOUNTS_A_BROWSER]
    response.set_cookie(
        COOKIE,
        signing.dumps([browser or secrets.token_urlsafe(12), known], salt=SALT),
        max_age=COOKIE_SECONDS,
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )


def _read(request: HttpRequest) -> tuple[str, list[str]]:
    try:
        browser, known = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT, max_age=COOKIE_SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        return "", []
    return browser, known


def _digest(account: Any) -> str:
    return hashlib.sha256(f"{settings.SECRET_KEY} {account}".lower().encode()).hexdigest()[:24]
