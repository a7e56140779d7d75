"""Tells whether the database is prepared, without loading Django's applications.

`manage.py prepare` writes a stamp: a hash of the code's migrations and of those that the database has
applied. A new release, another database or an emptied one makes the stamp invalid.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from grokweb import settings
from inference.base import env
from inference.base.registry import entry_points

ADMIN_EMAIL = env.text(
    "GROKWEB_ADMIN_EMAIL",
    "",
    "E-mail address of the first administrator; `admin@localhost` if empty. The account "
    "is created if it does not exist.",
)
ADMIN_PASSWORD = env.text(
    "GROKWEB_ADMIN_PASSWORD",
    "",
    "Password of that account when it is created. If empty, one is generated and shown once.",
)
STAMP = settings.RUN_DIR / "prepared.json"
APPLIED = "SELECT app, name FROM django_migrations ORDER BY app, name"


class DatabaseUnreachable(Exception):
    """Explains in one line why the database cannot be reached."""


def is_current() -> bool:
    rows = applied()  # also without a stamp: an unreachable database is reported before anything starts
    try:
        return bool(json.loads(STAMP.read_text()) == stamp(rows))
    except (OSError, ValueError):
        return False


def remember() -> None:
    """Writes the stamp. If the disk is full, the next start prepares once more."""
    rows = applied()
    with suppress(OSError):
        STAMP.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        STAMP.write_text(json.dumps(stamp(rows)))


def stamp(rows: Iterable[tuple[Any, ...]]) -> dict[str, str]:
    return {
        "code": code_hash(),
        "database": hashlib.sha256(json.dumps([*map(list, rows)]).encode()).hexdigest(),
        "address": hashlib.sha256(settings.DATABASE_URL.encode()).hexdigest(),
        "admin": ADMIN_EMAIL.lower(),
        "model": str(settings.MODEL),
        "search": settings.SEARCH_BACKEND,  # its triggers are made after the migrations
        "tools": " ".join(enabled_tools()),
    }


def enabled_tools() -> list[str]:
    """Returns the enabled tools with the packages that bring them: `prepare` checks what has changed."""
    points = entry_points("grokweb.tools") if settings.TOOLS else ()
    sources = [(each.name, each.dist.name, each.dist.version) for each in points if each.dist]
    return [*settings.TOOLS, *(":".join(each) for each in sorted(sources) if each[0] in settings.TOOLS)]


def code_hash() -> str:
    """Returns a hash of all migrations and of pyproject.toml, which pins libraries that have migrations."""
    root: Path = settings.BASE_DIR
    found = hashlib.sha256((root / "pyproject.toml").read_bytes())
    for path in sorted((root / "chat").rglob("migrations/*.py")):
        found.update(path.relative_to(root).as_posix().encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def applied() -> list[tuple[Any, ...]]:
    """Returns the migrations that the database has applied; empty for a new one."""
    database = settings.DATABASES["default"]
    if database["ENGINE"] == "django.db.backends.sqlite3":
        return _applied_sqlite(str(database["NAME"]))
    return _applied_postgresql(database)


def _applied_sqlite(name: str) -> list[tuple[Any, ...]]:
    path = Path(unquote(name))
    if not path.exists():
        if not os.access(path.parent if path.parent.exists() else settings.DATA_DIR, os.W_OK):
            raise DatabaseUnreachable(f"{path.parent} cannot be written to")
        return []
    try:
        connection = sqlite3.connect(path, timeout=20)
        try:
            return connection.execute(APPLIED).fetchall()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        if "no such table" in str(error):
            return []
        raise DatabaseUnreachable(f"{path}: {error}") from None


def _applied_postgresql(database: dict[str, Any]) -> list[tuple[Any, ...]]:
    import psycopg

    options = {
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "host": database["HOST"],
        "port": database["PORT"],
        **database.get("OPTIONS", {}),
        "connect_timeout": 5,
        "pool": None,  # Django's own option
    }
    try:
        with psycopg.connect(**{key: value for key, value in options.items() if value}) as connection:
            return connection.execute(APPLIED).fetchall()
    except psycopg.errors.UndefinedTable:
        return []
    except psycopg.Error as error:
        raise DatabaseUnreachable(f"the database does not answer: {' '.join(str(error).split())}") from None
