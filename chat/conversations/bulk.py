"""Moves, deletes and restores several conversations of one owner in one request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations import signals
from chat.conversations.announcements import announce_after_commit
from chat.conversations.models import Conversation
from chat.conversations.purge import PURGE_AFTER
from chat.core.errors import BadInput

PINS = 50  # of one person: they are all on the first page of the sidebar
BULK = 100  # conversations in one request: SQLite's writers share one lock
UNDO_WITHIN = PURGE_AFTER - timedelta(seconds=15)  # never while the purge deletes them


@transaction.atomic
def move_many(owner: User, ids: Sequence[UUID], **changes: Any) -> list[Conversation]:
    """Pins, archives or moves those of `ids` that belong to the owner; returns their current state.

    An archived conversation is not pinned and a pinned one is not archived: the last change wins. Raises
    BadInput if more than PINS would be pinned.
    """
    if changes.get("archived"):
        changes["pinned"] = False
    elif changes.get("pinned"):
        changes["archived"] = False
        _check_pins(owner, ids)
    theirs = Conversation.objects.listed_for(owner).filter(pk__in=ids)
    theirs.update(**changes)
    moved = list(theirs)
    for conversation in moved:
        announce_after_commit(conversation, deleted=False)
    return moved


def can_pin(owner: User) -> bool:
    """Returns whether one more conversation can be pinned."""
    return Conversation.objects.visible_to(owner).filter(pinned=True).count() < PINS


def _check_pins(owner: User, ids: Sequence[UUID]) -> None:
    pinned = Conversation.objects.visible_to(owner).filter(pinned=True).exclude(pk__in=ids).count()
    if pinned + len(ids) > PINS:
        raise BadInput(_("You can pin at most %(limit)d conversations.") % {"limit": PINS})


@transaction.atomic
def delete_many(owner: User, ids: Sequence[UUID]) -> list[Conversation]:
    """Deletes several conversations as `lifecycle.delete` does one, in one statement; returns them."""
    deleted = list(Conversation.objects.visible_to(owner).filter(pk__in=ids).select_for_update())
    Conversation.objects.filter(pk__in=[each.pk for each in deleted]).update(deleted_at=Now())
    for conversation in deleted:
        conversation.deleted_at = timezone.now()
        announce_after_commit(conversation, deleted=True)
    return deleted


@transaction.atomic
def delete_all(owner: User) -> int:
    """Deletes every conversation of a person, also archived ones and those in folders, and announces it once;
    returns how many."""
    deleted = 0
    while batch := list(Conversation.objects.visible_to(owner).values_list("pk", flat=True)[:BULK]):
        deleted += Conversation.objects.filter(pk__in=batch, deleted_at=None).update(deleted_at=Now())
    transaction.on_commit(lambda: signals.all_deleted.send_robust(Conversation, owner=owner), robust=True)
    return deleted


@transaction.atomic
def restore_many(owner: User, ids: Sequence[UUID]) -> list[Conversation]:
    """Undoes a deletion within UNDO_WITHIN, while the rows are whole; returns them. Their replies stay
    stopped and their shared links closed."""
    since = timezone.now() - UNDO_WITHIN
    deleted = Conversation.objects.filter(owner=owner, pk__in=ids, deleted_at__gt=since)
    restored = list(deleted.select_for_update())
    Conversation.objects.filter(pk__in=[each.pk for each in restored]).update(deleted_at=None)
    for conversation in restored:
        conversation.deleted_at = None
        announce_after_commit(conversation, deleted=False)
    return restored


Action = Callable[[User, Sequence[UUID]], list[Conversation]]
ACTIONS: dict[str, Action] = {
    "delete": delete_many,
    "restore": restore_many,
    "archive": lambda owner, ids: move_many(owner, ids, archived=True),
    "unarchive": lambda owner, ids: move_many(owner, ids, archived=False),
    "pin": lambda owner, ids: move_many(owner, ids, pinned=True),
    "unpin": lambda owner, ids: move_many(owner, ids, pinned=False),
}  # and "move", which takes a folder
