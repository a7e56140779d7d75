"""The sidebar: where each conversation stands, its pages, and what is done to one or to many.

A conversation stands in one place: in the archive, else among the pinned ones, else in its folder, else among
the recent ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations import signals
from chat.conversations.folders import folders_json
from chat.conversations.models import Conversation, Folder
from chat.conversations.services import PURGE_AFTER, conversation_json, tell_after_commit
from chat.core.errors import BadInput

PAGE = 50
PINS = 50  # they are all on the first page
BULK = 100  # conversations in one request: SQLite's writers share one lock
UNDO_WITHIN = PURGE_AFTER - timedelta(seconds=15)  # never while the purge takes them apart

_CURSOR = re.compile(r"(\d{1,14})-(\d{1,6})")  # milliseconds since 1970, rows of that millisecond to skip


# --- Reading ----------------------------------------------------------------------------------------------


def first_page(owner: User) -> dict[str, Any]:
    """What the sidebar shows before anybody scrolls: pinned ones and the latest, and the folders' names."""
    pinned = _of(owner).filter(archived=False, pinned=True)
    page = recent(owner)
    shown = [conversation_json(row) for row in pinned]
    return {**page, "conversations": shown + page["conversations"], "folders": folders_json(owner)}


def recent(owner: User, cursor: str = "") -> dict[str, Any]:
    return _page(_of(owner).filter(archived=False, pinned=False, folder=None), cursor)


def in_folder(owner: User, folder: Folder, cursor: str = "") -> dict[str, Any]:
    return _page(_of(owner).filter(archived=False, pinned=False, folder=folder), cursor)


def archive(owner: User, cursor: str = "") -> dict[str, Any]:
    return _page(_of(owner).filter(archived=True, pinned=False), cursor)


def _of(owner: User) -> QuerySet[Conversation]:
    return Conversation.objects.listed_for(owner).order_by("-updated_at", "-pk")


def _page(conversations: QuerySet[Conversation], cursor: str) -> dict[str, Any]:
    """One page, the latest first, and where the next one starts.

    The cursor counts in milliseconds because SQLite compares times as text, written with three digits by the
    database and with six by Python; among conversations of one millisecond it says how many were shown.
    """
    shown_ms, skip = None, 0
    if cursor:
        shown_ms, skip = _parsed_cursor(cursor)
        until = datetime.fromtimestamp(shown_ms // 1000, UTC)
        until += timedelta(milliseconds=shown_ms % 1000, microseconds=999)
        conversations = conversations.filter(updated_at__lte=until)
    rows = list(conversations[skip : skip + PAGE + 1])
    page = rows[:PAGE]
    following = None
    if len(rows) > PAGE:
        last = _milliseconds(page[-1].updated_at)
        same = sum(_milliseconds(row.updated_at) == last for row in page)
        following = f"{last}-{same + (skip if last == shown_ms else 0)}"
    return {"conversations": [conversation_json(row) for row in page], "next": following}


def _parsed_cursor(cursor: str) -> tuple[int, int]:
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        raise BadInput(_("That page does not exist."))
    return int(match[1]), int(match[2])


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000


# --- Moving -----------------------------------------------------------------------------------------------


@transaction.atomic
def arrange(owner: User, ids: Sequence[UUID], **changes: Any) -> list[Conversation]:
    """Pin, archive or move those of `ids` that are the owner's; returns them as they are now.

    What is archived is not pinned, and what is pinned is not archived: the last wish wins.
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
        tell_after_commit(conversation, deleted=False)
    return moved


def _check_pins(owner: User, ids: Sequence[UUID]) -> None:
    pinned = Conversation.objects.visible_to(owner).filter(pinned=True).exclude(pk__in=ids).count()
    if pinned + len(ids) > PINS:
        raise BadInput(_("You can pin at most %(limit)d conversations.") % {"limit": PINS})


@transaction.atomic
def delete_many(owner: User, ids: Sequence[UUID]) -> list[Conversation]:
    """As services.delete, for several in one statement."""
    kept = list(Conversation.objects.visible_to(owner).filter(pk__in=ids).select_for_update())
    Conversation.objects.filter(pk__in=[each.pk for each in kept]).update(deleted_at=Now())
    for conversation in kept:
        conversation.deleted_at = timezone.now()
        tell_after_commit(conversation, deleted=True)
    return kept


@transaction.atomic
def delete_all(owner: User) -> int:
    """Every conversation of a person, told once; returns how many. The archive and all folders, too."""
    deleted = 0
    while batch := list(Conversation.objects.visible_to(owner).values_list("pk", flat=True)[:BULK]):
        deleted += Conversation.objects.filter(pk__in=batch, deleted_at=None).update(deleted_at=Now())
    transaction.on_commit(lambda: signals.all_deleted.send_robust(Conversation, owner=owner), robust=True)
    return deleted


@transaction.atomic
def restore(owner: User, ids: Sequence[UUID]) -> list[Conversation]:
    """Undo a deletion while the rows are whole. Replies stay stopped and shared links stay closed."""
    since = timezone.now() - UNDO_WITHIN
    lost = Conversation.objects.filter(owner=owner, pk__in=ids, deleted_at__gt=since)
    back = list(lost.select_for_update())
    Conversation.objects.filter(pk__in=[each.pk for each in back]).update(deleted_at=None)
    for conversation in back:
        conversation.deleted_at = None
        tell_after_commit(conversation, deleted=False)
    return back


Action = Callable[[User, Sequence[UUID]], list[Conversation]]
ACTIONS: dict[str, Action] = {
    "delete": delete_many,
    "restore": restore,
    "archive": lambda owner, ids: arrange(owner, ids, archived=True),
    "unarchive": lambda owner, ids: arrange(owner, ids, archived=False),
    "pin": lambda owner, ids: arrange(owner, ids, pinned=True),
    "unpin": lambda owner, ids: arrange(owner, ids, pinned=False),
}  # and "move", which takes a folder
