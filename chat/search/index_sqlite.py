"""Indexes the terms of chat/search/terms.py with FTS5; the triggers call them as `search_terms`.

Every connection that changes titles or messages must know that function; Django's do (`Sqlite.connect`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connections

from chat.search.backends import Backend, Row, row_of
from chat.search.letters import SIGNS
from chat.search.terms import terms

_SIGNS = SIGNS.replace(r"\\", "\\")  # of an expression
# Terms are folded already and all of their characters count: hence `ascii`, which splits at spaces only.
# Prefixes of one letter are indexed too: one letter may be a query in scripts without spaces.
TABLES = [
    "CREATE VIRTUAL TABLE search_words USING fts5("
    f"scope, words, tokenize = \"ascii tokenchars '{_SIGNS}'\", prefix = '1 2 3', detail = column)"
]
DROP_TABLES = ["DROP TABLE search_words"]
# FTS5 keeps deleted words as marks until its segments are merged. The first statement schedules all segments,
# the second merges a number of pages; it is repeated until nothing is left to do.
COMPACT = (
    "INSERT INTO search_words (search_words, rank) VALUES ('merge', -200)",
    "INSERT INTO search_words (search_words, rank) VALUES ('merge', 200)",
)
CHANGES = "SELECT total_changes()"

# The number of a row: its time, or the next number after rows of the same millisecond. SQLite has one writer.
# Times outside the years 1970 to 2223 count as the nearest of them.
_ID = """
(SELECT max(ms << 20, coalesce((
    SELECT max(id) + 1 FROM search_entry WHERE id >= ms << 20 AND id < (ms + 1) << 20
 ), 0))
 FROM (SELECT max(0, min(8000000000000, coalesce(
    CAST(strftime('%s', {time}) AS INTEGER) * 1000 + CAST(substr(strftime('%f', {time}), 4) AS INTEGER), 0
 ))) AS ms))
"""
_MESSAGE = """
INSERT INTO search_entry (id, owner_id, conversation_id, message_id)
    SELECT {id}, owner_id, {row}.conversation_id, {row}.id FROM conversations_conversation
    WHERE id = {row}.conversation_id AND {row}.hidden_at IS NULL AND {row}.status <> 'live'
    AND {row}.text <> '';
INSERT INTO search_words (rowid, scope, words)
    SELECT id, 'm' || owner_id, search_terms({row}.text) FROM search_entry WHERE message_id = {row}.id;
"""
_TITLE = """
INSERT INTO search_entry (id, owner_id, conversation_id)
    SELECT {id}, {row}.owner_id, {row}.id WHERE {row}.title <> '';
INSERT INTO search_words (rowid, scope, words)
    SELECT id, 't' || owner_id, search_terms({row}.title) FROM search_entry
    WHERE conversation_id = {row}.id AND message_id IS NULL;
"""
_NEW_MESSAGE = _MESSAGE.format(id=_ID.format(time="NEW.created_at"), row="NEW")
_NEW_TITLE = _TITLE.format(id=_ID.format(time="NEW.created_at"), row="NEW")
_NO_MESSAGE = "DELETE FROM search_entry WHERE message_id = OLD.id;"
_NO_TITLE = "DELETE FROM search_entry WHERE conversation_id = OLD.id AND message_id IS NULL;"

_TRIGGERS = {
    "search_entry_gone": ("DELETE ON search_entry", "DELETE FROM search_words WHERE rowid = OLD.id;"),
    "search_message_new": ("INSERT ON conversations_message", _NEW_MESSAGE),
    "search_message_changed": (
        "UPDATE OF text, status, hidden_at ON conversations_message",
        _NO_MESSAGE + _NEW_MESSAGE,
    ),
    "search_message_gone": ("DELETE ON conversations_message", _NO_MESSAGE),
    "search_title_new": ("INSERT ON conversations_conversation", _NEW_TITLE),
    "search_title_changed": ("UPDATE OF title ON conversations_conversation", _NO_TITLE + _NEW_TITLE),
    "search_title_gone": ("DELETE ON conversations_conversation", _NO_TITLE),
}
CREATE = [
    f"CREATE TRIGGER {name} AFTER {event} BEGIN {body} END" for name, (event, body) in _TRIGGERS.items()
]
DROP = [f"DROP TRIGGER IF EXISTS {name}" for name in _TRIGGERS]


_ROWS = """
SELECT e.id, e.conversation_id, e.message_id
FROM search_words JOIN search_entry e ON e.id = search_words.rowid
JOIN conversations_conversation c ON c.id = e.conversation_id AND c.deleted_at IS NULL
    AND NOT c.temporary
WHERE search_words MATCH %s AND search_words.rowid < %s
ORDER BY search_words.rowid DESC LIMIT %s
"""


class Sqlite(Backend):
    label = "SQLite FTS5"
    create = CREATE
    drop = DROP

    def connect(self, connection: Any) -> None:
        """Lets the triggers of this connection make terms."""
        connection.connection.create_function(
            "search_terms", 1, lambda said: " ".join(terms(said)), deterministic=True
        )

    def rows(
        self, cursor: Any, owner: UUID, kind: str, terms: Sequence[str], below: int, limit: int
    ) -> list[Row]:
        expression = " AND ".join(f'"{term}" *' for term in terms)
        cursor.execute(_ROWS, [f"scope : {kind}{owner.hex} AND words : ({expression})", below, limit])
        return [row_of(*row) for row in cursor.fetchall()]

    def forget_deleted(self, using: str) -> None:
        """Forgets deleted words in short steps, because writers wait for each other."""
        first, further = COMPACT
        done = _changes(using, first)
        while done > 1:  # FTS5 updates its own state: a step with nothing to do changes one row
            done = _changes(using, further)


def _changes(using: str, statement: str) -> int:
    with connections[using].cursor() as cursor:
        cursor.execute(CHANGES)
        before = cursor.fetchone()[0]
        cursor.execute(statement)
        cursor.execute(CHANGES)
        return int(cursor.fetchone()[0]) - int(before)
