"""Tells pages and the service worker what they must know of notifications: nothing where the operator set no
key.
"""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import get_token

from chat.accounts.models import User
from chat.core.errors import NotFound
from chat.push import access


def settings_details(request: HttpRequest) -> dict[str, Any]:
    if not settings.PUSH_KEY:
        return {}
    session = request.session.session_key or ""
    is_on = access.device_of(cast(User, request.user), session) is not None
    return {"push": {"key": _public_key(), "is_on": is_on}}


def worker_details(request: HttpRequest) -> dict[str, Any]:
    """Returns what the service worker needs to renew a subscription. It has no page with a CSRF token, and
    not every browser lets it read cookies. Raises NotFound without a key.
    """
    if not settings.PUSH_KEY:
        raise NotFound
    wanted = access.are_wanted(cast(User, request.user), request.session)
    return {"wanted": wanted, "key": _public_key(), "token": get_token(request)}


def _public_key() -> str:
    from chat.push.encryption import public_key  # loads `cryptography`

    return public_key(settings.PUSH_KEY)


def page_details(request: HttpRequest) -> dict[str, bool]:
    """Tells the chat page that the server must know whether it is visible (chat/turns/visible_tabs.py)."""
    return {"push": True} if settings.PUSH_KEY else {}
