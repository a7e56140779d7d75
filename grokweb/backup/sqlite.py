"""A consistent copy of a SQLite database that is in use, and what can be asked of such a file."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from grokweb.backup.errors import BackupError

WAIT_SECONDS = 20
SIDECARS = ("-wal", "-shm", "-journal")  # SQLite reads them into whatever file lies beside them


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """An existing file; opening a missing one would create it."""
    if not path.is_file():
        raise BackupError(f"{path} does not exist")
    try:
        with closing(sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise BackupError(f"{path} cannot be read: {error}") from None


def snapshot(source: Path, target: Path) -> None:
    """Copies the database as of one moment, in one file without a write-ahead log. Writers are not blocked.

    The backup API and not VACUUM INTO: that may number rows anew.
    """
    with opened(source) as read, closing(sqlite3.connect(target, isolation_level=None)) as written:
        try:
            read.backup(written, pages=-1)  # one step: another writer would make the copy start again
            written.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as error:
            raise BackupError(f"{source} cannot be copied: {error}") from None


def check(path: Path) -> None:
    """Raises unless SQLite finds every page, every index and every foreign key sound."""
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
    """Rows of each table. Tables that belong to the search index are counted by it, not here."""
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
    """Names in the files' storage that rows point to."""
    with opened(path) as connection:
        return {str(row[0]) for row in connection.execute("SELECT stored FROM files_file WHERE stored <> ''")}


SHARED_BYTE = 128  # of `-shm`: every connection in WAL mode holds a shared lock on it (SQLite's WAL_DMS)


def in_use(path: Path) -> bool:
    """Whether another process has the database open; one that was killed does not count."""
    try:
        with Path(f"{path}-shm").open("r+b") as shared:
            fcntl.lockf(shared, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, SHARED_BYTE)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
