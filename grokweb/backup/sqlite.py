"""Copies a SQLite database that is in use, and checks such files."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from grokweb.backup.errors import BackupError

WAIT_SECONDS = 20
SIDECARS = ("-wal", "-shm", "-journal")  # SQLite applies them to the file beside them


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Opens an existing file; SQLite would create a missing one."""
    if not path.is_file():
        raise BackupError(f"{path} does not exist")
    try:
        with closing(sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise BackupError(f"{path} cannot be read: {error}") from None


def snapshot(source: Path, target: Path) -> None:
    """Copies the database as of one moment, in one file without a write-ahead log. Writers are not blocked.

    It uses the backup API, because VACUUM INTO may renumber rows.
    """
    with opened(source) as read, closing(sqlite3.connect(target, isolation_level=None)) as written:
        try:
            read.backup(written, pages=-1)  # one step: another writer would make the copy start again
            written.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            raise BackupError(f"{source} cannot be copied: {error}") from None


def check(path: Path) -> None:
    """Raises unless SQLite finds all pages, indexes and foreign keys sound."""
    with opened(path) as connection:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(3)")]
        if found != ["ok"]:
            raise BackupError(f"the database is damaged: {' '.join(found[0].split())[:200]}")
        broken = connection.execute("PRAGMA foreign_key_check").fetchone()
        if broken:
            raise BackupError(f"the database is damaged: {broken[0]} points to a missing row of {broken[2]}")


def migrations(path: Path) -> list[list[str]]:
    with opened(path) as connection:
        rows = connection.execute("SELECT app, name FROM django_migrations ORDER BY app, name")
        return [[str(app), str(name)] for app, name in rows]


def counts(path: Path) -> dict[str, int]:
    """Returns the row count of each table, without those that belong to the search index."""
    with opened(path) as connection:
        return {
            table: int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])  # noqa: S608 - quoted
            for table in tables(connection)
        }


def tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        " AND name NOT LIKE 'search\\_words%' ESCAPE '\\' ORDER BY name"
    )
    return [str(row[0]) for row in found if '"' not in str(row[0])]


def stored_files(path: Path) -> set[str]:
    """Returns the names in the file storage that rows point to."""
    with opened(path) as connection:
        return {str(row[0]) for row in connection.execute("SELECT stored FROM files_file WHERE stored <> ''")}


SHARED_BYTE = 128  # of `-shm`: every connection in WAL mode holds a shared lock on it (SQLite's WAL_DMS)


def in_use(path: Path) -> bool:
    """Returns whether another living process has the database open."""
    try:
        with Path(f"{path}-shm").open("r+b") as shared:
            fcntl.lockf(shared, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, SHARED_BYTE)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
