"""Finds the browsers that a person may be notified in: their own, while their session is valid."""

from __future__ import annotations

from uuid import UUID

from django.contrib.sessions.backends.base import SessionBase

from chat.accounts.models import User
from chat.accounts.sessions import LOGGED_OUT, OK, still_allowed
from chat.push.models import PushDevice

# In a session whose person turned notifications on, and not off since: it outlives the row of a browser that
# its push service had forgotten when we sent, so that the browser may renew its subscription.
WANTED = "push_wanted"


def device_of(user: User, session_key: str) -> PushDevice | None:
    return PushDevice.objects.filter(user=user, session_key=session_key).first()


def devices_of(user: User) -> list[PushDevice]:
    return list(PushDevice.objects.filter(user=user).order_by("pk"))


def are_wanted(user: User, session: SessionBase) -> bool:
    """Returns whether this person turned notifications on in this browser, reachable or not."""
    return bool(session.get(WANTED)) or device_of(user, session.session_key or "") is not None


def has_devices(user_id: UUID) -> bool:
    return PushDevice.objects.filter(user=user_id).exists()


def usable_devices(user: User) -> list[PushDevice]:
    """Returns the browsers in which the person is logged in now and not suspended."""
    rows = devices_of(user)
    states = _states(rows)
    return [row for row in rows if states[row.session_key] == OK]


def logged_out_devices(rows: list[PushDevice]) -> list[PushDevice]:
    """Returns those whose session ended, or whose person has changed the password since."""
    states = _states(rows)
    return [row for row in rows if states[row.session_key] == LOGGED_OUT]


def _states(rows: list[PushDevice]) -> dict[str, str]:
    return still_allowed({row.session_key: row.user_id for row in rows})
