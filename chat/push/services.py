"""Turns notifications on and off for one browser, and forgets browsers that cannot be reached any more."""

from __future__ import annotations

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.db.models import F
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.core.errors import BadInput, NotFound
from chat.core.throttling import throttle
from chat.push import access
from chat.push.models import ENDPOINT_CHARS, PushDevice
from inference.base.outbound import Policy, Refused
from inference.base.outbound.guard import Guard

MOST_DEVICES = 5  # of one person; the oldest one gives way
CHANGES_AN_HOUR = 20
MOST_FAILURES = 5  # in a row: then a browser is forgotten
SWEPT = 500  # rows looked at in one query


def turn_on(
    *,
    user: User,
    session: SessionBase,
    endpoint: object,
    p256dh: object,
    auth: object,
    old: object = None,
) -> PushDevice:
    """Stores how to notify this browser. Raises NotFound without a key, BadInput, TooManyRequests.

    `old` is the address that the browser has just replaced by itself. It ends rows of this person alone:
    anybody may name any address.
    """
    if not settings.PUSH_KEY:
        raise NotFound
    throttle("push", str(user.pk), CHANGES_AN_HOUR, 3600)
    if not isinstance(old, str | None):
        raise BadInput(_("The address for notifications that your browser gave cannot be used."))
    address = _checked_endpoint(endpoint)
    keys = _checked_keys(p256dh, auth)
    session_key = session.session_key or ""
    with transaction.atomic():
        # Also a row of whoever used this browser before, without logging out.
        PushDevice.objects.filter(endpoint=address).exclude(session_key=session_key).delete()
        if old is not None:
            PushDevice.objects.filter(user=user, endpoint=old).exclude(session_key=session_key).delete()
        device, _made = PushDevice.objects.update_or_create(
            session_key=session_key,
            defaults={
                "user": user,
                "endpoint": address,
                "p256dh": keys[0],
                "auth": keys[1],
                "language": get_language() or "",
                "failures": 0,
            },
        )
        newest = PushDevice.objects.filter(user=user).order_by("-pk").values_list("pk", flat=True)
        others = [pk for pk in newest if pk != device.pk]
        PushDevice.objects.filter(pk__in=others[MOST_DEVICES - 1 :]).delete()
    session[access.WANTED] = True
    return device


def turn_off(*, user: User, session: SessionBase) -> None:
    session.pop(access.WANTED, None)
    PushDevice.objects.filter(user=user, session_key=session.session_key or "").delete()


def _checked_endpoint(value: object) -> str:
    """Checks what can be seen of the address; the guard checks again, with its lookup, at every request."""
    if not isinstance(value, str) or not value.isascii() or len(value) > ENDPOINT_CHARS:
        raise BadInput(_("The address for notifications that your browser gave cannot be used."))
    try:
        target = Guard(Policy("push", settings.PUSH_LISTED)).target(value)
    except Refused:
        target = None
    if target is None or not target.secure:
        raise BadInput(_("The address for notifications that your browser gave cannot be used."))
    return value


def _checked_keys(p256dh: object, auth: object) -> tuple[str, str]:
    from chat.push.encryption import check_keys  # loads `cryptography`

    try:
        if not (isinstance(p256dh, str) and isinstance(auth, str)):
            raise ValueError("a key is no text")
        check_keys(p256dh, auth)
    except ValueError:
        raise BadInput(_("The keys for notifications that your browser gave cannot be used.")) from None
    return p256dh.rstrip("="), auth.rstrip("=")


# --- Forgetting -------------------------------------------------------------------------------------------


def forget(pk: int) -> None:
    """Removes a browser that its push service does not know any more."""
    PushDevice.objects.filter(pk=pk).delete()


def note_success(pk: int) -> None:
    PushDevice.objects.filter(pk=pk, failures__gt=0).update(failures=0)


def note_failure(pk: int) -> None:
    PushDevice.objects.filter(pk=pk).update(failures=F("failures") + 1)
    PushDevice.objects.filter(pk=pk, failures__gte=MOST_FAILURES).delete()


def forget_all(user: User, session: SessionBase | None) -> None:
    """Forgets every browser of a person whose password changed. `session` is the one that lives on."""
    if session is not None:
        session.pop(access.WANTED, None)
    PushDevice.objects.filter(user=user).delete()


def forget_logged_out(user: User) -> None:
    _forget_logged_out(access.devices_of(user))


def sweep() -> None:
    """Removes the browsers whose session ran out."""
    last = 0
    while rows := list(PushDevice.objects.filter(pk__gt=last).order_by("pk")[:SWEPT]):
        _forget_logged_out(rows)
        last = rows[-1].pk


def _forget_logged_out(rows: list[PushDevice]) -> None:
    gone = [row.pk for row in access.logged_out_devices(rows)]
    if gone:
        PushDevice.objects.filter(pk__in=gone).delete()
