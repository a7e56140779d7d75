"""Provides databases that have today's tables: copies of one that was migrated once.

To migrate an empty database takes longer than most tests: pytest, and services that tests start, begin with a
copy instead. They still run `migrate`, which then finds nothing to apply.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from grokweb import prepare_stamp

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "migrated"


def copy_sqlite(target: Path) -> None:
    """Writes a migrated SQLite database to `target`."""
    kept = FOLDER / f"{code_hash()}.sqlite3"
    with one_process_at_a_time():
        if not kept.exists():
            for older in FOLDER.glob("*.sqlite3*"):
                older.unlink()
            part = FOLDER / "part.sqlite3"
            migrate(f"sqlite:///{part}")
            part.rename(kept)
        shutil.copyfile(kept, target)


def template(base: str) -> str:
    """Returns the name of a migrated database on the PostgreSQL server of the URL `base`.

    It stays on that server: tests/postgresql.py removes the whole server after a run.
    """
    name = f"migrated_{code_hash()}"
    with one_process_at_a_time(), psycopg.connect(base, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(f'DROP DATABASE IF EXISTS "{name}_part"')
            connection.execute(f'CREATE DATABASE "{name}_part"')
            migrate(f"{base.rsplit('/', 1)[0]}/{name}_part")
            connection.execute(f'ALTER DATABASE "{name}_part" RENAME TO "{name}"')
    return name


def code_hash() -> str:
    """Returns a short hash of all migrations and of the locked packages, some of which have migrations."""
    found = hashlib.sha256(prepare_stamp.code_hash().encode())
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


@contextmanager
def one_process_at_a_time() -> Iterator[None]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def migrate(url: str) -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "grokweb.settings", "DATABASE_URL": url}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
