"""/readyz over broken databases: a running web process says so, until the database is whole again."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.grokweb.backup.installation import Installation
from tests.grokweb.service import eventually

pytestmark = pytest.mark.faults


def says_database(home: Installation) -> bool:
    status, body = home.get("/readyz")
    return status == 503 and "database" in json.loads(body)["failing"]


def execute(home: Installation, statement: str) -> None:
    if home.sqlite:
        with closing(sqlite3.connect(home.sqlite, timeout=20)) as connection, connection:
            connection.execute(statement)
        return
    import psycopg

    with psycopg.connect(home.environment["DATABASE_URL"]) as server:
        server.execute(statement)


@pytest.mark.parametrize(
    ("breaks", "mends"),
    [
        ("ALTER TABLE files_attachment RENAME TO away", "ALTER TABLE away RENAME TO files_attachment"),
        (
            "UPDATE django_migrations SET name = 'x' WHERE app = 'turns' AND name LIKE '0001%'",
            "UPDATE django_migrations SET name = '0001_initial' WHERE app = 'turns' AND name = 'x'",
        ),
    ],
    ids=["a table is missing", "a migration is missing"],
)
def test_a_database_without_its_schema_is_not_ready(home: Installation, breaks: str, mends: str) -> None:
    home.filled()
    home.serve()
    execute(home, breaks)
    eventually(lambda: says_database(home), "not ready")
    assert home.get("/healthz")[0] == 200
    execute(home, mends)
    eventually(home.is_ready, "ready again")
    home.stop()


def overwritten_in_the_middle(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 16384)


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)


def another_file(path: Path) -> None:
    path.write_bytes(b"This is not a database.\n" * 5000)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.faults_sqlite
@pytest.mark.parametrize(
    "damage", [overwritten_in_the_middle, cut_off, another_file, emptied], ids=lambda damage: damage.__name__
)
def test_a_damaged_file_is_not_ready(home: Installation, damage: Callable[[Path], None]) -> None:
    home.filled()
    home.serve()
    path = Path(home.sqlite)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    good = path.with_name("good.sqlite3")
    shutil.copyfile(path, good)
    damage(path)
    eventually(lambda: says_database(home), "not ready")
    shutil.copyfile(good, path)
    eventually(home.is_ready, "ready again")
    home.stop()


@pytest.mark.faults_sqlite
def test_readyz_does_not_release_locks_of_the_database(home: Installation) -> None:
    """A process that closes a file loses its locks on it, SQLite's too. Then the last connection of another
    process takes the write-ahead log away, and what this one writes is lost."""
    result = home.filled()
    home.serve()
    for number in range(3):
        assert home.is_ready()
        # A column without a trigger: those of titles and messages call a function of ours (chat/search).
        execute(home, f"UPDATE accounts_user SET display_name = 'Ledger {number}'")
        assert Path(f"{home.sqlite}-wal").exists()
        status, page = home.get(f"/c/{result['conversation']}/", Cookie=result["cookie"])
        assert status == 200
        assert f"Ledger {number}" in page
    home.stop()


@pytest.mark.django_db
def test_damage_that_a_request_meets_counts_at_once(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage counts without waiting for the next thorough check."""
    from django.db import DatabaseError, connection

    from grokweb import database_health

    if connection.vendor != "sqlite":
        pytest.skip("SQLite only")
    assert client.get("/readyz").status_code == 200
    monkeypatch.setattr(database_health, "quick_check", lambda path: "row 7 is missing from an index")

    def fails(execute: Any, *arguments: Any) -> Any:
        raise DatabaseError("database disk image is malformed")

    connection.execute_wrappers.append(fails)  # as a statement of some page
    try:
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.execute_wrappers.remove(fails)
    eventually(lambda: client.get("/readyz").status_code == 503, "not ready")
    monkeypatch.undo()
    database_health.THOROUGH.suspect("again")
    eventually(lambda: client.get("/readyz").status_code == 200, "ready again")
