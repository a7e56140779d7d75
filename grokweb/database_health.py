"""Whether the database is whole, asked by /readyz: cheap at each call, thorough in the background.

Each call reads one row of every table and the list of applied migrations, and compares the length of
SQLite's file with what its header says. `PRAGMA quick_check` reads all pages; it runs in a thread of its
own and takes at most a twentieth of the time. Damage that any statement of this process meets counts until
such a check passes.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import DatabaseError, connection
from django.db.backends.signals import connection_created

from grokweb import schema

CHECK_SECONDS = 5.0  # between two thorough checks, at least
SHARE = 20  # and this many times as long as the last one took
LENGTH_LOOKS = 6
FIRST_SECONDS = 2.0  # how long a call waits for the first result
DAMAGE = ("malformed", "not a database", "disk i/o error", "invalid page", "could not read block")


class Broken(Exception):
    """Says what is wrong, for the log."""


# --- At each call -----------------------------------------------------------------------------------------


def check() -> None:
    """Raises if the database is away, not migrated, lacks a table, or is damaged."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        missing = schema.known() - {(app, name) for app, name in cursor.fetchall()}
        if missing:
            app, name = min(missing)
            raise Broken(f"{len(missing)} migrations are missing, the first is {app}.{name}")
        cursor.execute(_one_row_of_each())
        cursor.fetchall()
        if connection.vendor == "postgresql":
            cursor.execute("SHOW transaction_read_only")
            if cursor.fetchone() != ("off",):
                raise Broken("the server is a replica, or set to read only")
    if connection.vendor == "sqlite":
        path = Path(connection.settings_dict["NAME"])
        _check_length(path)
        THOROUGH.check(path)


def _one_row_of_each() -> str:
    quote = connection.ops.quote_name
    tables = sorted({model._meta.db_table for model in apps.get_models(include_auto_created=True)})
    return " UNION ALL ".join(
        f"SELECT 1 FROM (SELECT 1 FROM {quote(table)} LIMIT 1) AS t"  # noqa: S608 - quoted
        for table in tables
    )


def _check_length(path: Path) -> None:
    """Raises for a file that was cut off: pages that it lacks are met only when somebody reads them.

    A checkpoint writes the header before the pages that make the file longer, so it looks several times.
    """
    for _ in range(LENGTH_LOOKS - 1):
        if not _is_cut(path):
            return
        time.sleep(0.05)
    if _is_cut(path):
        raise Broken(f"{path.name} is shorter than its header says")


def _is_cut(path: Path) -> bool:
    file = _opened(path)
    head = os.pread(file, 32, 0)
    length = os.fstat(file).st_size
    size = int.from_bytes(head[16:18])
    pages = int.from_bytes(head[28:32])
    return length < pages * (65536 if size == 1 else size)


_files: dict[tuple[int, int], int] = {}
_files_lock = threading.Lock()


def _opened(path: Path) -> int:
    """A descriptor that is never closed: closing one ends every lock of this process on the file (POSIX),
    also those of SQLite's connections. Then the last connection of another process would remove the
    write-ahead log, and what is written here would be lost."""
    with _files_lock:
        found = path.stat()
        key = (found.st_dev, found.st_ino)
        if key not in _files:
            opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            found = os.fstat(opened)
            key = (found.st_dev, found.st_ino)  # it may have been replaced meanwhile
            _files.setdefault(key, opened)
        return _files[key]


# --- In the background ------------------------------------------------------------------------------------


class Thorough:
    """The latest `quick_check` of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = False
        self._first = threading.Event()
        self._due = 0.0
        self._path: Path | None = None
        self._found = ""

    def check(self, path: Path) -> None:
        """Raises what the last check found; starts another when it is time."""
        self._start(path)
        self._first.wait(FIRST_SECONDS)
        if self._found:
            raise Broken(self._found)

    def suspect(self, error: str) -> None:
        """A statement met damage: not ready until a check has passed."""
        self._found = self._found or error
        self._due = 0.0

    def _start(self, path: Path) -> None:
        with self._lock:
            if path != self._path:
                self._path, self._due, self._found = path, 0.0, ""
                self._first.clear()
            if self._running or time.monotonic() < self._due:
                return
            self._running = True
        threading.Thread(target=self._run, args=(path,), name="quick-check", daemon=True).start()

    def _run(self, path: Path) -> None:
        started = time.monotonic()
        found = quick_check(path)
        with self._lock:
            if path == self._path:
                self._found = found
                took = time.monotonic() - started
                self._due = time.monotonic() + max(CHECK_SECONDS, SHARE * took)
                self._first.set()
            self._running = False


def quick_check(path: Path) -> str:
    """What SQLite finds wrong, empty if nothing. On a connection of its own, read-only."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as own:
            told = str(own.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        return "" if "locked" in str(error) or "busy" in str(error) else str(error)
    except sqlite3.Error as error:
        return str(error)
    return "" if told == "ok" else " ".join(told.split())[:200]


THOROUGH = Thorough()


# --- From any request -------------------------------------------------------------------------------------


def watch() -> None:
    """Every connection of this process tells when a statement meets damage."""
    connection_created.connect(_wrap, dispatch_uid="database damage")


def _wrap(connection: Any, **_: Any) -> None:
    if connection.vendor == "sqlite" and _notice not in connection.execute_wrappers:
        connection.execute_wrappers.append(_notice)


def _notice(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    try:
        return execute(sql, params, many, context)
    except DatabaseError as error:
        if any(word in str(error).lower() for word in DAMAGE):
            THOROUGH.suspect(str(error))
        raise
