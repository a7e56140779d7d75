"""Reads the lists of the sidebar in pages.

A conversation is in one list: the archive, else the pinned ones, else its folder, else the recent ones.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.folders import folders_json
from chat.conversations.models import Conversation, Folder
from chat.conversations.serializers import conversation_json
from chat.core.errors import BadInput

PAGE = 50  # conversations

_CURSOR = re.compile(r"(\d{1,14})-(\d{1,6})")  # milliseconds since 1970, rows of that millisecond to skip


def first_page(owner: User) -> dict[str, Any]:
    """Returns what the sidebar shows at first: pinned and latest conversations, and all folders."""
    pinned = _listed(owner).filter(archived=False, pinned=True)
    page = recent(owner)
    shown = [conversation_json(row) for row in pinned]
    return {**page, "conversations": shown + page["conversations"], "folders": folders_json(owner)}


def recent(owner: User, cursor: str = "") -> dict[str, Any]:
    """Returns a page of the conversations that are neither archived, pinned nor in a folder."""
    return _page(_listed(owner).filter(archived=False, pinned=False, folder=None), cursor)


def in_folder(owner: User, folder: Folder, cursor: str = "") -> dict[str, Any]:
    """Returns a page of the conversations in a folder."""
    return _page(_listed(owner).filter(archived=False, pinned=False, folder=folder), cursor)


def archive(owner: User, cursor: str = "") -> dict[str, Any]:
    """Returns a page of the archived conversations."""
    return _page(_listed(owner).filter(archived=True, pinned=False), cursor)


def _listed(owner: User) -> QuerySet[Conversation]:
    return Conversation.objects.listed_for(owner).order_by("-updated_at", "-pk")


def _page(conversations: QuerySet[Conversation], cursor: str) -> dict[str, Any]:
    """Returns one page, the latest first, and the cursor of the next.

    The cursor counts in milliseconds because SQLite compares times as text, written with three digits by the
    database and with six by Python. Among conversations of one millisecond it counts those that were shown.
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
