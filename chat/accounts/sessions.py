"""Tells for many sessions at once whether they are still valid (asked by chat/turns/socket_monitor.py)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from chat.accounts.models import User

OK, LOGGED_OUT, SUSPENDED = "ok", "logged_out", "suspended"


def still_allowed(sessions: dict[str, UUID]) -> dict[str, str]:
    """Returns "ok", "logged_out" or "suspended" for each session key, whose user is given, in two queries.

    A session whose person changed their password, or was deactivated, counts as logged out.
    """
    if not sessions:
        return {}
    stored = Session.objects.filter(session_key__in=list(sessions), expire_date__gt=timezone.now())
    contents: dict[str, dict[str, Any]] = {row.session_key: row.get_decoded() for row in stored}
    users = User.objects.in_bulk(list(set(sessions.values())))
    return {key: _state(contents.get(key, {}), users.get(user_id)) for key, user_id in sessions.items()}


def _state(content: dict[str, Any], user: User | None) -> str:
    if user is None or not user.is_active or content.get(SESSION_KEY) != str(user.pk):
        return LOGGED_OUT
    held = content.get(HASH_SESSION_KEY, "")
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    if not any(constant_time_compare(held, each) for each in hashes):
        return LOGGED_OUT
    return SUSPENDED if user.is_suspended else OK
