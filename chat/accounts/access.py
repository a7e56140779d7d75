"""Finds the login sessions of a person: their own, or none."""

from __future__ import annotations

from allauth.usersessions.models import UserSession

from chat.accounts.models import User
from chat.core.errors import NotFound


def session_for(user: User, pk: int) -> UserSession:
    try:
        return UserSession.objects.get(user=user, pk=pk)
    except UserSession.DoesNotExist:
        raise NotFound from None
