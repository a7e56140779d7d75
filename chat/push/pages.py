"""Adds to pages what they must know of notifications: nothing where the operator set no key."""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from django.http import HttpRequest

from chat.accounts.models import User
from chat.push import access


def settings_details(request: HttpRequest) -> dict[str, Any]:
    if not settings.PUSH_KEY:
        return {}
    from chat.push.encryption import public_key  # loads `cryptography`

    session = request.session.session_key or ""
    is_on = access.device_of(cast(User, request.user), session) is not None
    return {"push": {"key": public_key(settings.PUSH_KEY), "is_on": is_on}}


def page_details(request: HttpRequest) -> dict[str, bool]:
    """Tells the chat page that the server must know whether it is visible (chat/turns/visible_tabs.py)."""
    return {"push": True} if settings.PUSH_KEY else {}
