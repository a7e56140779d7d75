"""Lists and ends the browser sessions of a person, and stores when each was last used.

allauth keeps a row of each (UserSession), made at login; whether it still stands is for sessions.py.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from chat.accounts import signals
from chat.accounts.adapter import NOWHERE
from chat.accounts.models import User
from chat.accounts.sessions import OK, still_allowed
from chat.core import storage
from chat.core.text import one_line

logger = logging.getLogger("grokweb.accounts")

SEEN_EVERY = 600  # seconds between two writes for the same session
NAME_CHARS = 60


@dataclass(frozen=True, slots=True)
class Device:
    pk: int
    name: str
    address: str
    seen_at: datetime
    is_this: bool


# --- Reading ----------------------------------------------------------------------------------------------


def devices_of(user: User, this: str) -> list[Device]:
    """Returns the valid sessions of a user, the one with key `this` first, then the latest, in three
    queries.
    """
    rows = list(UserSession.objects.filter(user=user).order_by("-last_seen_at"))
    states = still_allowed({row.session_key: user.pk for row in rows})
    devices = [_device(row, this) for row in rows if states[row.session_key] == OK]
    return sorted(devices, key=lambda device: not device.is_this)


def _device(row: UserSession, this: str) -> Device:
    return Device(
        pk=row.pk,
        name=name_of(row.user_agent),
        address="" if row.ip == NOWHERE else row.ip,
        seen_at=row.last_seen_at,
        is_this=row.session_key == this,
    )


def name_of(user_agent: str) -> str:
    """Returns a name such as “Firefox on Windows”, as far as the browser's user agent tells."""
    from ua_parser import parse  # imported late: takes 0.25 s and 15 MB, for a page that few open

    agent = parse(user_agent)
    browser = agent.user_agent.family if agent.user_agent else ""
    system = agent.os.family.replace("Mac OS X", "macOS") if agent.os else ""
    if system == "iOS" and agent.device:
        system = agent.device.family  # iPhone, iPad
    browser = one_line(browser.removeprefix("Mobile ").removesuffix(" Mobile"))[:NAME_CHARS]
    system = one_line(system)[:NAME_CHARS]
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or _("Unknown browser")


# --- Noting -----------------------------------------------------------------------------------------------


def note(request: HttpRequest) -> None:
    """Stores that this browser was used, at most once in SEEN_EVERY seconds, and not while Redis is away or
    the disk is full: pages that are only read must work without space.
    """
    key = request.session.session_key
    if request.user.is_authenticated and key and _is_due(key):
        storage.write_if_room(lambda: UserSession.objects.create_from_request(request))


def note_socket(session_key: str) -> None:
    """Does the same as `note` for a page that talks only over its websocket."""
    if _is_due(session_key):
        row = UserSession.objects.filter(session_key=session_key)
        storage.write_if_room(lambda: row.update(last_seen_at=timezone.now()))


def _is_due(session_key: str) -> bool:
    digest = hashlib.sha256(session_key.encode()).hexdigest()[:32]
    try:
        return bool(cache.add(f"seen:{digest}", 1, timeout=SEEN_EVERY))
    except RedisError:
        return False


# --- Ending -----------------------------------------------------------------------------------------------


def end_one(user: User, row: UserSession) -> None:
    _end(user, [row])


def end_others(user: User, this: str) -> int:
    """Ends all sessions except the one with key `this`; returns how many were valid."""
    rows = list(UserSession.objects.filter(user=user).exclude(session_key=this))
    states = still_allowed({row.session_key: user.pk for row in rows})
    _end(user, rows)
    return sum(state == OK for state in states.values())


def end_all(user: User) -> None:
    _end(user, list(UserSession.objects.filter(user=user)))


@transaction.atomic
def _end(user: User, rows: Sequence[UserSession]) -> None:
    Session.objects.filter(session_key__in=[row.session_key for row in rows]).delete()
    UserSession.objects.filter(pk__in=[row.pk for row in rows]).delete()
    transaction.on_commit(lambda: _tell_ended(user), robust=True)


def _tell_ended(user: User) -> None:
    signals.sessions_ended.send(User, user=user)


def sweep() -> None:
    """Deletes expired sessions, and what was stored about sessions that are gone."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    standing = Session.objects.filter(session_key=OuterRef("session_key"))
    UserSession.objects.filter(~Exists(standing)).delete()
