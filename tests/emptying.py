"""Empties the database after a test with real transactions.

Django's flush truncates every table, then makes content types, permissions and the search triggers anew. That
takes longer than most tests. Here only the tables that have rows are emptied. The rows that a flush leaves
(content types, permissions, the moderators) stay, unless the test changed them: then Django's flush follows.
"""

from __future__ import annotations

from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase

Rows = dict[str, list[tuple[Any, ...]]]
DJANGOS_TEARDOWN = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]
LEFT: dict[str, Rows] = {}  # what the latest flush of each database left


def after_test(case: TransactionTestCase) -> None:
    """Replaces `TransactionTestCase._fixture_teardown`."""
    special = case.available_apps is not None or case.serialized_rollback
    aliases = case._databases_names(include_mirrors=False)  # type: ignore[attr-defined]
    if special or not all(empty(connections[alias]) for alias in aliases):
        DJANGOS_TEARDOWN(case)
        LEFT.update({alias: rows(connections[alias]) for alias in aliases})


def empty(connection: BaseDatabaseWrapper) -> bool:
    """Deletes all rows but those that a flush leaves. Returns False if it takes a flush to restore those."""
    left = LEFT.get(connection.alias)
    if left is None:
        return False
    # The foreign keys are checked at the end of the transaction: the order does not matter.
    with transaction.atomic(connection.alias), connection.cursor() as cursor:
        names = tables(connection)
        if connection.vendor == "postgresql":  # waits for a thread that outlives its test
            cursor.execute(f"LOCK TABLE {', '.join(map(quoted, names))} IN SHARE ROW EXCLUSIVE MODE")
        filled = tables_with_rows(cursor, names)
        if not left.keys() <= filled or any(content(cursor, name) != left[name] for name in left):
            return False
        for name in filled - left.keys():
            cursor.execute(f"DELETE FROM {quoted(name)}")
    return True


def rows(connection: BaseDatabaseWrapper) -> Rows:
    with connection.cursor() as cursor:
        return {name: content(cursor, name) for name in sorted(tables_with_rows(cursor, tables(connection)))}


def tables(connection: BaseDatabaseWrapper) -> list[str]:
    return sorted(connection.introspection.django_table_names(only_existing=True, include_views=False))


def tables_with_rows(cursor: Any, names: list[str]) -> set[str]:
    cursor.execute(
        " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {quoted(name)})" for name in names)
    )
    return {name for (name,) in cursor.fetchall()}


def content(cursor: Any, name: str) -> list[tuple[Any, ...]]:
    cursor.execute(f"SELECT * FROM {quoted(name)} ORDER BY 1")
    return list(cursor.fetchall())


def quoted(name: str) -> str:
    return f'"{name}"'
