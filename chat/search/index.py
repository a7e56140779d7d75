"""Maintains the index by database triggers: a reply is settled by an UPDATE that sends no signal.

A migration that rebuilds a table (SQLite) loses its triggers, and one that renames columns would fail because
of them. So they are dropped before any migration and restored after it, and missed rows are indexed then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connections

from chat.search.backends import backend_for

CLEAN = [
    "DELETE FROM search_entry WHERE message_id IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM conversations_message m WHERE m.id = message_id)",
    "DELETE FROM search_entry WHERE NOT EXISTS"
    " (SELECT 1 FROM conversations_conversation c WHERE c.id = conversation_id)",
]
# An UPDATE of the rows that lack an entry makes the triggers index them. It takes some rows at a
# time, so that no writer waits for all of them.
CATCH_UP = {
    "conversations_message": (
        "text",
        "text <> '' AND status <> 'live' AND hidden_at IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM search_entry e WHERE e.message_id = conversations_message.id)",
    ),
    "conversations_conversation": (
        "title",
        "title <> '' AND NOT EXISTS (SELECT 1 FROM search_entry e"
        " WHERE e.conversation_id = conversations_conversation.id AND e.message_id IS NULL)",
    ),
}
BATCH = 1000
FIRST = "00000000-0000-0000-0000-000000000000"  # below every key, as a UUID and as SQLite's text


def before_migrating(using: str, plan: Sequence[Any] = (), **_: Any) -> None:
    if plan and _exists(using):
        _run(using, backend_for(connections[using]).drop)


def after_migrating(using: str, plan: Sequence[Any] = (), **_: Any) -> None:
    if _exists(using):
        backend = backend_for(connections[using])
        _run(using, backend.drop)
        _run(using, backend.create)
        if plan:
            _run(using, CLEAN)
            for table, (column, missing) in CATCH_UP.items():
                _catch_up(using, table, column, missing)


def _catch_up(using: str, table: str, column: str, missing: str) -> None:
    last: Any = FIRST
    with connections[using].cursor() as cursor:
        while True:
            cursor.execute(
                f"SELECT id FROM {table} WHERE id > %s AND {missing} ORDER BY id LIMIT {BATCH}",  # noqa: S608
                [last],
            )
            keys = cursor.fetchall()
            if not keys:
                return
            first, last = last, keys[-1][0]
            cursor.execute(
                f"UPDATE {table} SET {column} = {column} WHERE id > %s AND id <= %s AND {missing}",  # noqa: S608
                [first, last],
            )


def prepare_connection(connection: Any, **_: Any) -> None:
    """Prepares each new connection to a database."""
    backend_for(connection).connect(connection)


def forget_deleted(using: str = "default") -> None:
    """Removes the words of what was deleted from the index for good."""
    backend_for(connections[using]).forget_deleted(using)


def _exists(using: str) -> bool:
    tables = connections[using].introspection.table_names()
    return {"search_entry", "conversations_message", "conversations_conversation"} <= set(tables)


def _run(using: str, statements: Sequence[str]) -> None:
    with connections[using].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
