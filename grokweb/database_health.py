"""Checks for /readyz whether the database is sound: cheaply at each call, thoroughly in the background.

Each call reads one row of every table and the list of applied migrations. `PRAGMA quick_check` reads all
pages of SQLite's file; it runs in a thread of its own and takes at most a twentieth of the time. Damage that
any statement of this process meets counts until such a check passes.

Only SQLite itself may open its file: when a process closes any descriptor of a file, it loses
all its POSIX locks on it, those of open connections included, and another process may then remove the log
that they still use (sqlite.org/howtocorrupt.html, 2.2).
"""

from __future__ import annotations

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

from grokweb import known_migrations

CHECK_SECONDS = 5.0  # between two thorough checks, at least
SHARE = 20  # and this many times as long as the last one took
FIRST_SECONDS = 2.0  # how long a call waits for the first result
DAMAGE = ("malformed", "not a database", "disk i/o error", "invalid page", "could not read block")


class Broken(Exception):
    """Says what is wrong, for the log."""


# --- At each call -----------------------------------------------------------------------------------------


def check() -> None:
    """Raises if the database is away, not migrated, lacks a table, or is damaged."""
    if connection.vendor == "sqlite":  # first: statements on a file that was replaced may wait for locks
        THOROUGH.check(Path(connection.settings_dict["NAME"]))
    with connection.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        missing = known_migrations.known() - {(app, name) for app, name in cursor.fetchall()}
        if missing:
            app, name = min(missing)
            raise Broken(f"{len(missing)} migrations are missing, the first is {app}.{name}")
        cursor.execute(_one_row_of_each())
        cursor.fetchall()
        if connection.vendor == "postgresql":
            cursor.execute("SHOW transaction_read_only")
            if cursor.fetchone() != ("off",):
                raise Broken("the server is a replica, or set to read only")


def _one_row_of_each() -> str:
    quote = connection.ops.quote_name
    tables = sorted({model._meta.db_table for model in apps.get_models(include_auto_created=True)})
    return " UNION ALL ".join(
        f"SELECT 1 FROM (SELECT 1 FROM {quote(table)} LIMIT 1) AS t"  # noqa: S608 - quoted
        for table in tables
    )


# --- In the background ------------------------------------------------------------------------------------


class Thorough:
    """Holds the result of this process' latest `quick_check`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = False
        self._first = threading.Event()
        self._due = 0.0
        self._path: Path | None = None
        self._length = 0
        self._found = ""

    def check(self, path: Path) -> None:
        """Raises what the last check found; starts another when it is time."""
        self._start(path)
        self._first.wait(FIRST_SECONDS)
        if self._found:
            raise Broken(self._found)

    def suspect(self, error: str) -> None:
        """Notes that a statement met damage: /readyz fails until a check has passed."""
        self._found = self._found or error
        self._due = 0.0

    def _start(self, path: Path) -> None:
        length = path.stat().st_size
        with self._lock:
            if path != self._path:
                self._path, self._due, self._found = path, 0.0, ""
                self._first.clear()
            elif length < self._length:
                self._due = 0.0  # truncated, or vacuumed: the next answer waits for a check
                self._first.clear()
            self._length = length
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
    """Returns the errors that SQLite finds, or "". Uses a read-only connection of its own."""
    if not path.stat().st_size:
        return "the file is empty"  # which is a sound database to SQLite
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as own:
            found = str(own.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError as error:
        return "" if "locked" in str(error) or "busy" in str(error) else str(error)
    except sqlite3.Error as error:
        return str(error)
    return "" if found == "ok" else " ".join(found.split())[:200]


THOROUGH = Thorough()


# --- From any request -------------------------------------------------------------------------------------


def watch() -> None:
    """Makes every connection of this process report statements that meet damage."""
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
