"""Whether the database is ready, asked without loading Django's applications.

`manage.py prepare` writes a stamp: a hash of the migrations in the code, and of what the database says it has
applied. A new release, another database, an emptied one: each makes the stamp stale.
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

from grokweb import env, settings

ADMIN_EMAIL = env.text(
    "GROKWEB_ADMIN_EMAIL",
    "",
    "E-mail of the first administrator, `admin@localhost` if empty; made if missing",
)
ADMIN_PASSWORD = env.text(
    "GROKWEB_ADMIN_PASSWORD", "", "Password for that account when it is made; drawn and shown once if empty"
)
STAMP = settings.RUN_DIR / "prepared.json"
APPLIED = "SELECT app, name FROM django_migrations ORDER BY app, name"


class DatabaseUnreachable(Exception):
    """One line that says why."""


def is_current() -> bool:
    rows = applied()  # also when there is no stamp: an unreachable database is told before anything starts
    try:
        return bool(json.loads(STAMP.read_text()) == stamp(rows))
    except (OSError, ValueError):
        return False


def remember() -> None:
    """Without room for the stamp the next start prepares once more."""
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
    }


def code_hash() -> str:
    """Of all migrations and of pyproject.toml, which fixes the releases of the libraries that bring some."""
    root: Path = settings.BASE_DIR
    found = hashlib.sha256((root / "pyproject.toml").read_bytes())
    for path in sorted((root / "chat").rglob("migrations/*.py")):
        found.update(path.relative_to(root).as_posix().encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def applied() -> list[tuple[Any, ...]]:
    """What the database has applied; nothing for a new one."""
    database = settings.DATABASES["default"]
    if database["ENGINE"] == "django.db.backends.sqlite3":
        return _applied_sqlite(str(database["NAME"]))
    return _applied_postgresql(database)


def _applied_sqlite(name: str) -> list[tuple[Any, ...]]:
    path = Path(unquote(name))
    if not path.exists():
        if not os.access(path.parent if path.parent.exists() else settings.DATA_DIR, os.W_OK):
            raise DatabaseUnreachable(f"{path.parent} can not be written to")
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
