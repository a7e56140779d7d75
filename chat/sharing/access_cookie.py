"""Remembers that a reader answered what a policy asks: a signed cookie, sent only to the page of its share.

It ends after a day, and at once when the link is closed or its policy or options change: the signature covers
a digest of them.
"""

from __future__ import annotations

import json

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare, salted_hmac

from chat.sharing.models import Share

COOKIE = "grokweb_share"
SECONDS = 24 * 3600
_SALT = "chat.sharing.access_cookie"


def value_of(request: HttpRequest) -> str:
    return request.COOKIES.get(COOKIE, "")


def is_valid(share: Share, cookie: str) -> bool:
    try:
        signed = TimestampSigner(salt=_SALT).unsign(cookie, max_age=SECONDS)
    except BadSignature:  # also one that is too old
        return False
    return constant_time_compare(signed, _digest(share))


def give(response: HttpResponse, share: Share) -> None:
    """Sets the cookie. Its path keeps it from every other page."""
    response.set_cookie(
        COOKIE,
        TimestampSigner(salt=_SALT).sign(_digest(share)),
        max_age=SECONDS,
        path=share.get_absolute_url(),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _digest(share: Share) -> str:
    about = json.dumps([str(share.pk), share.policy, share.options], sort_keys=True)
    return salted_hmac(_SALT, about, algorithm="sha256").hexdigest()
