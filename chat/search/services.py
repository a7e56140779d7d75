"""Finding: titles first, then messages of every branch, each the newest first, a page at a time."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message
from chat.core.errors import BadInput
from chat.search.words import pieces, words_of

PAGE = 20
NEAR = 2_000  # newest entries that PostgreSQL looks through before it asks the index

_CURSOR = re.compile(r"([tm])([0-9]{1,19})")  # titles or messages below this number
_END = 2**63 - 1

Row = tuple[int, UUID, UUID | None]  # number, conversation, message


def search(owner: User, question: str, cursor: str = "") -> dict[str, Any]:
    kind, below = _parsed(cursor)
    words = words_of(question)
    if not words:
        return {"results": [], "next": None}
    rows = _rows(owner, "t", words, below, PAGE + 1) if kind == "t" else []
    if len(rows) <= PAGE:
        rows += _rows(owner, "m", words, below if kind == "m" else _END, PAGE + 1 - len(rows))
    page = rows[:PAGE]
    following = None
    if len(rows) > PAGE:
        following = f"m{page[-1][0]}" if page[-1][2] else f"t{page[-1][0]}"
    return {"results": _results(owner, page, words), "next": following}


def _parsed(cursor: str) -> tuple[str, int]:
    if not cursor:
        return "t", _END
    match = _CURSOR.fullmatch(cursor)
    if match is None or int(match[2]) > _END:
        raise BadInput(_("That page does not exist."))
    return match[1], int(match[2])


# --- Rows -------------------------------------------------------------------------------------------------

_SQLITE = """
SELECT e.id, e.conversation_id, e.message_id
FROM search_words JOIN search_entry e ON e.id = search_words.rowid
JOIN conversations_conversation c ON c.id = e.conversation_id AND c.deleted_at IS NULL
    AND NOT c.temporary
WHERE search_words MATCH %s AND search_words.rowid < %s
ORDER BY search_words.rowid DESC LIMIT %s
"""
_NEAR = """
SELECT e.id, e.conversation_id, e.message_id
FROM (
    SELECT id, conversation_id, message_id, words FROM search_entry
    WHERE owner_id = %s AND message_id IS {null} AND id < %s ORDER BY id DESC LIMIT %s
) e JOIN conversations_conversation c ON c.id = e.conversation_id AND c.deleted_at IS NULL
    AND NOT c.temporary
WHERE e.words @@ %s::tsquery ORDER BY e.id DESC LIMIT %s
"""
_FAR = """
WITH found AS MATERIALIZED (
    SELECT id, conversation_id, message_id FROM search_entry WHERE words @@ %s::tsquery AND id < %s
)
SELECT e.id, e.conversation_id, e.message_id
FROM found e JOIN conversations_conversation c ON c.id = e.conversation_id AND c.deleted_at IS NULL
    AND NOT c.temporary
ORDER BY e.id DESC LIMIT %s
"""


def _rows(owner: User, kind: str, words: list[str], below: int, limit: int) -> list[Row]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            wanted = " AND ".join(f'"{word}" *' for word in words)
            cursor.execute(_SQLITE, [f"scope : {kind}{owner.pk.hex} AND words : ({wanted})", below, limit])
            return [_row(*row) for row in cursor.fetchall()]
        # A frequent word is found among the newest; a rare one has few rows in the index. Either is quick.
        wanted = " & ".join([f"'@{kind}{owner.pk}'", *(f"'{word}':*" for word in words)])
        near = _NEAR.replace("{null}", "NULL" if kind == "t" else "NOT NULL")
        cursor.execute(near, [owner.pk, below, NEAR, wanted, limit])
        rows = cursor.fetchall()
        if len(rows) < limit:
            cursor.execute(_FAR, [wanted, below, limit])
            rows = cursor.fetchall()
        return [_row(*row) for row in rows]


def _row(number: int, conversation: Any, message: Any) -> Row:
    return number, UUID(str(conversation)), UUID(str(message)) if message else None


# --- Results ----------------------------------------------------------------------------------------------


def _results(owner: User, rows: list[Row], words: list[str]) -> list[dict[str, Any]]:
    """Read again through the door: what the index has is never shown for its own sake."""
    conversations = Conversation.objects.visible_to(owner).in_bulk({row[1] for row in rows})
    messages = Message.objects.filter(hidden_at=None).in_bulk([row[2] for row in rows if row[2]])
    results = []
    for _number, conversation_pk, message_pk in rows:
        conversation = conversations.get(conversation_pk)
        message = messages.get(message_pk) if message_pk else None
        if conversation is None or (message_pk and message is None):
            continue  # gone since the index was read
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
