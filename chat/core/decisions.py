"""Decisions of staff that a colleague overtook.

A form carries `seen`: how far the audit went when its page was made. A decision is refused if a colleague
has decided on the same object since. Call `check_not_stale` under the lock of the object, in the transaction
of the decision: the colleague's audit row is then there if their decision is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from chat.core.errors import NotAllowed
from chat.core.models import StaffAction


class Stale(NotAllowed):
    """Raised when somebody decided first; the words say who, what and when."""

    def __init__(self, *, who: str, what: object, when: datetime, note: str = "") -> None:
        words = _("Meanwhile %(who)s decided: %(what)s (%(when)s UTC).") % {
            "who": who,
            "what": what,
            "when": date_format(timezone.localtime(when), "DATETIME_FORMAT"),
        }
        if note:
            words += " " + _("Their note: “%(note)s”.") % {"note": note}
        super().__init__(words + " " + _("Your decision was not carried out; please look again."))


def position() -> int:
    """Returns how far the audit goes now; a form carries it as `seen`."""
    newest = StaffAction.objects.order_by("-pk").values_list("pk", flat=True).first()
    return newest or 0


def seen_of(form: Mapping[str, Any]) -> int | None:
    """Reads `seen` of a form; None if it has none, as a script's. Nonsense counts as never seen."""
    if "seen" not in form:
        return None
    value = str(form["seen"])
    return int(value) if value.isascii() and value.isdecimal() and len(value) < 19 else 0


def check_not_stale(
    *, seen: int | None, targets: Iterable[str], by: Any, verbs: Mapping[str, str | Promise]
) -> None:
    """Raises Stale if a colleague did one of `verbs` (with its words) to one of `targets` after `seen`."""
    if seen is None:
        return
    later = StaffAction.objects.filter(pk__gt=seen, target__in=[*targets], verb__in=[*verbs])
    action = later.exclude(actor=by.pk).order_by("-pk").first()
    if action is not None:
        raise stale(action, verbs)


def stale(action: StaffAction, verbs: Mapping[str, str | Promise]) -> Stale:
    note = action.detail.get("note") or action.detail.get("reason") or ""
    return Stale(who=action.actor_email, what=verbs[action.verb], when=action.at, note=str(note))
