"""Renames the labels of Django applications in an existing database, with their tables.

`manage.py migrate` does this first (grokweb/management/commands/migrate.py): Django compares the labels in
`django_migrations` with the code before any migration can run. `manage.py rename_apps --back` undoes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.db import connections, transaction

# Label of an earlier release: label of today. An application without tables has rows in these only where it
# has permissions of its own.
RENAMED = {"voice": "personas", "leaving": "account_deletion", "desk": "staff"}
BACK = {new: old for old, new in RENAMED.items()}
IDENTIFIER_BYTES = 63  # PostgreSQL cuts longer names


class CannotRename(Exception):
    """Says in one line why the database was left as it is."""


def rename_apps(using: str = "default", labels: Mapping[str, str] = RENAMED) -> list[str]:
    """Renames the labels and tables of an earlier release; returns the new names of the tables.

    Everything happens in one transaction. Does nothing to a database that is new or was renamed before.
    Raises CannotRename where tables of both names exist.
    """
    connection = connections[using]
    if not has_old_labels(using, labels):
        return []
    with transaction.atomic(using=using), connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # SQLite's transaction has the lock for writing already
            cursor.execute("LOCK TABLE django_migrations IN ACCESS EXCLUSIVE MODE")
        renamed = []
        for old, new in labels.items():
            renamed += _rename_tables(connection, cursor, old, new)
            cursor.execute("UPDATE django_migrations SET app = %s WHERE app = %s", [new, old])
            if "django_content_type" in connection.introspection.table_names(cursor):
                # Permissions, and the groups that have them, refer to the content type by its key.
                cursor.execute(
                    "UPDATE django_content_type SET app_label = %s WHERE app_label = %s", [new, old]
                )
    return renamed


def has_old_labels(using: str = "default", labels: Mapping[str, str] = RENAMED) -> bool:
    connection = connections[using]
    with connection.cursor() as cursor:
        if "django_migrations" not in connection.introspection.table_names(cursor):
            return False
        cursor.execute("SELECT DISTINCT app FROM django_migrations")
        return any(app in labels for (app,) in cursor.fetchall())


def current_name(app: str, migration: str) -> tuple[str, str]:
    """Returns the name that a migration of an earlier release has today."""
    return RENAMED.get(app, app), migration


def _rename_tables(connection: Any, cursor: Any, old: str, new: str) -> list[str]:
    tables = set(connection.introspection.table_names(cursor))
    pairs = [(table, _renamed(table, old, new)) for table in sorted(tables) if table.startswith(f"{old}_")]
    for before, after in pairs:
        if after in tables:
            raise CannotRename(
                f"the database has the tables {before} and {after}: "
                "move the rows of one into the other and drop the empty one"
            )
        quote = connection.ops.quote_name
        cursor.execute(f"ALTER TABLE {quote(before)} RENAME TO {quote(after)}")
        # The names of indexes, constraints and sequences begin with that of their table, too.
        rename = _postgresql_statements if connection.vendor == "postgresql" else _sqlite_statements
        for statement in list(rename(connection, cursor, after, before)):
            cursor.execute(statement)
    return [after for _before, after in pairs]


def _renamed(name: str, old: str, new: str) -> str:
    return f"{new}{name.removeprefix(old)}"[:IDENTIFIER_BYTES]


def _named_after(name: str, before: str, table: str) -> str:
    """Returns the new name of an index or a constraint, which begins with its table."""
    old, new = before.partition("_")[0], table.removesuffix(before.partition("_")[2])
    return f"{table}{name.removeprefix(before)}".replace(f"_fk_{old}_", f"_fk_{new}")


def _sqlite_statements(connection: Any, cursor: Any, table: str, before: str) -> Iterator[str]:
    """Returns the statements for SQLite, which updates references itself but cannot rename an index."""
    quote = connection.ops.quote_name
    cursor.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = %s AND sql IS NOT NULL",
        [table],
    )
    for name, sql in cursor.fetchall():
        if name.startswith(before):
            yield f"DROP INDEX {quote(name)}"
            yield sql.replace(quote(name), quote(_named_after(name, before, table)), 1)


def _postgresql_statements(connection: Any, cursor: Any, table: str, before: str) -> Iterator[str]:
    quote = connection.ops.quote_name

    def names(query: str) -> Iterator[tuple[str, str]]:
        cursor.execute(query, [table])
        for (name,) in cursor.fetchall():
            if name.startswith(before):
                yield quote(name), quote(_named_after(name, before, table)[:IDENTIFIER_BYTES])

    constraints = "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass(%s)"
    for name, after in names(constraints):  # takes the index of the constraint along
        yield f"ALTER TABLE {quote(table)} RENAME CONSTRAINT {name} TO {after}"
    indexes = (
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indrelid = to_regclass(%s)"
        " AND NOT EXISTS (SELECT 1 FROM pg_constraint p"
        " WHERE p.conindid = i.indexrelid AND p.conrelid = i.indrelid)"
    )
    for name, after in names(indexes):
        yield f"ALTER INDEX {name} RENAME TO {after}"
    sequences = (
        "SELECT c.relname FROM pg_depend d JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S'"
        " WHERE d.refobjid = to_regclass(%s) AND d.deptype IN ('a', 'i')"
    )
    for name, after in names(sequences):
        yield f"ALTER SEQUENCE {name} RENAME TO {after}"
