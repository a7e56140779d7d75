"""Searches titles first, then messages of every branch, each newest first, one page at a time."""

from __future__ import annotations

import re
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message
from chat.core.errors import BadInput
from chat.search.backends import Row, backend_for
from chat.search.terms import MOST, Question, fold, parsed
from chat.search.words import pieces

PAGE = 20
LOOKED_AT = 2_000  # rows whose texts are read for one page, if terms alone do not decide a match

_CURSOR = re.compile(r"([tm])([0-9]{1,19})")  # titles or messages below this number
_END = 2**63 - 1


def search(owner: User, question: str, cursor: str = "") -> dict[str, Any]:
    kind, below = _cursor(cursor)
    query = parsed(question)
    if not query.terms:
        return {"results": [], "next": None}
    rows: list[Row] = []
    following = None
    if kind == "t":
        rows, following = _hits(owner, "t", query, below, PAGE + 1)
    if following is None and len(rows) <= PAGE:
        start = below if kind == "m" else _END
        further, following = _hits(owner, "m", query, start, PAGE + 1 - len(rows))
        rows += further
    page = rows[:PAGE]
    if len(rows) > PAGE:
        following = f"m{page[-1][0]}" if page[-1][2] else f"t{page[-1][0]}"
    return {"results": _results(owner, page, query.parts), "next": following}


def _cursor(cursor: str) -> tuple[str, int]:
    if not cursor:
        return "t", _END
    match = _CURSOR.fullmatch(cursor)
    if match is None or int(match[2]) > _END:
        raise BadInput(_("That page does not exist."))
    return match[1], int(match[2])


# --- Rows -------------------------------------------------------------------------------------------------


def _hits(owner: User, kind: str, query: Question, below: int, limit: int) -> tuple[list[Row], str | None]:
    """Returns the next matching rows, and where to continue if so many rows did not match that it is time to
    answer.
    """
    hits: list[Row] = []
    batch, looked_at = limit, 0
    while True:
        rows = _rows(owner, kind, query.terms, below, batch)
        hits += _holding(rows, query.literal)
        looked_at += len(rows)
        if len(rows) < batch or len(hits) >= limit:
            return hits[:limit], None
        below = rows[-1][0]
        if looked_at >= LOOKED_AT:
            return hits, f"{kind}{below}"
        batch *= 4


def _holding(rows: list[Row], literal: list[str]) -> list[Row]:
    """Keeps rows whose text has each of `literal`: terms tell neither order nor adjacency."""
    if not literal:
        return rows
    titles = Conversation.objects.filter(pk__in=[row[1] for row in rows if not row[2]])
    texts = Message.objects.filter(pk__in=[row[2] for row in rows if row[2]])
    texts_by_row = dict(titles.values_list("pk", "title")) | dict(texts.values_list("pk", "text"))
    folded = {key: fold(text[:MOST]) for key, text in texts_by_row.items()}
    return [row for row in rows if all(part in folded.get(row[2] or row[1], "") for part in literal)]


def _rows(owner: User, kind: str, terms: list[str], below: int, limit: int) -> list[Row]:
    with connection.cursor() as cursor:
        return backend_for(connection).rows(cursor, owner.pk, kind, terms, below, limit)


# --- Results ----------------------------------------------------------------------------------------------


def _results(owner: User, rows: list[Row], words: list[str]) -> list[dict[str, Any]]:
    """Loads results again through access control: the index alone never decides what is shown."""
    conversations = Conversation.objects.visible_to(owner).in_bulk({row[1] for row in rows})
    messages = Message.objects.filter(hidden_at=None).in_bulk([row[2] for row in rows if row[2]])
    results = []
    for _number, conversation_pk, message_pk in rows:
        conversation = conversations.get(conversation_pk)
        message = messages.get(message_pk) if message_pk else None
        if conversation is None or (message_pk and message is None):
            continue  # deleted since the index was read
        results.append(_result_json(conversation, message, words))
    return results


def _result_json(conversation: Conversation, message: Message | None, words: list[str]) -> dict[str, Any]:
    address = conversation.get_absolute_url()
    return {
        "conversation": {
            "id": str(conversation.pk),
            "title": conversation.title,
            "archived": conversation.archived,
        },
        "message": {"id": str(message.pk), "role": message.role} if message else None,
        "at": (message.created_at if message else conversation.updated_at).isoformat(),
        "url": f"{address}?m={message.pk}" if message else address,
        "pieces": pieces(message.text if message else conversation.title, words),
    }
