"""Signals: a reply is settled; a session ended; a password changed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from allauth.account.signals import password_changed, password_reset, password_set
from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from chat.accounts.models import User
from chat.accounts.signals import sessions_ended
from chat.push import notifying, services
from chat.turns.signals import reply_settled


@receiver(reply_settled)
def notify(generation_id: UUID, **_: Any) -> None:
    notifying.ready(generation_id)


@receiver(user_logged_out)
def forget_this(request: HttpRequest | None, user: User | None, **_: Any) -> None:
    """Forgets this browser. Django sends the signal while the session still has its key."""
    session = getattr(request, "session", None)
    if user is not None and session is not None and session.session_key:
        services.turn_off(user=user, session=session)


@receiver(sessions_ended)
def forget_ended(user: User, **_: Any) -> None:
    services.forget_logged_out(user)


@receiver([password_changed, password_reset, password_set])
def forget_all(user: User, request: HttpRequest | None = None, **_: Any) -> None:
    services.forget_all(user, getattr(request, "session", None))
