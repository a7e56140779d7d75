"""The index is kept by triggers of the database: a reply is settled by an UPDATE that no signal tells of.

A migration that rebuilds a table (SQLite) loses its triggers, and one that renames columns would trip over
them. So they are taken away before any migration and put back after it, and what was missed is caught up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections

from chat.search import index_postgresql, index_sqlite

# The triggers themselves do the work: an UPDATE of what has no entry, and should have one.
CATCH_UP = [
    "DELETE FROM search_entry WHERE message_id IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM conversations_message m WHERE m.id = message_id)",
    "DELETE FROM search_entry WHERE NOT EXISTS"
    " (SELECT 1 FROM conversations_conversation c WHERE c.id = conversation_id)",
    "UPDATE conversations_message SET text = text"
    " WHERE text <> '' AND status <> 'live' AND hidden_at IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM search_entry e WHERE e.message_id = conversations_message.id)",
    "UPDATE conversations_conversation SET title = title WHERE title <> '' AND NOT EXISTS (SELECT 1"
    " FROM search_entry e WHERE e.conversation_id = conversations_conversation.id AND e.message_id IS NULL)",
]


def before_migrating(using: str, plan: Sequence[Any] = (), **_: Any) -> None:
    if plan and _exists(using):
        _run(using, _of(using).DROP)


def after_migrating(using: str, plan: Sequence[Any] = (), **_: Any) -> None:
    if _exists(using):
        _run(using, _of(using).DROP)
        _run(using, _of(using).CREATE)
        if plan:
            _run(using, CATCH_UP)


def forget_deleted(using: str = "default") -> None:
    """The words of what was deleted leave the index for good. In short steps: writers wait for each other.

    PostgreSQL does it by itself (autovacuum).
    """
    if connections[using].vendor != "sqlite":
        return
    first, further = index_sqlite.COMPACT
    done = _changes(using, first)
    while done > 1:  # FTS5 notes its own state: a step with nothing to do changes one row
        done = _changes(using, further)


def _changes(using: str, statement: str) -> int:
    with connections[using].cursor() as cursor:
        cursor.execute(index_sqlite.CHANGES)
        before = cursor.fetchone()[0]
        cursor.execute(statement)
        cursor.execute(index_sqlite.CHANGES)
        return int(cursor.fetchone()[0]) - int(before)


def _of(using: str) -> Any:
    return index_postgresql if connections[using].vendor == "postgresql" else index_sqlite


def _exists(using: str) -> bool:
    tables = connections[using].introspection.table_names()
    return {"search_entry", "conversations_message", "conversations_conversation"} <= set(tables)


def _run(using: str, statements: list[str]) -> None:
    with connections[using].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
