"""Runs PostgreSQL's own programs, and the queries around them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grokweb.backup.errors import BackupError
from inference.base import env

PROGRAMS = env.text(
    "GROKWEB_POSTGRES_PROGRAMS",
    "",
    "Directory of pg_dump and pg_restore, for backup and restore. If empty, they are found on PATH.",
)
SYSTEM = Path("/usr/lib/postgresql")
ASIDE = "before_restore"  # schema with what a restore replaced


def connect(database: Mapping[str, Any], **options: Any) -> Any:
    import psycopg

    parameters = {
        "dbname": database["NAME"],
        "user": database["USER"],
        "password": database["PASSWORD"],
        "host": database["HOST"],
        "port": database["PORT"],
        **{key: value for key, value in database.get("OPTIONS", {}).items() if key != "pool"},
        "connect_timeout": 10,
        "application_name": "grokweb-backup",
    }
    try:
        return psycopg.connect(**{key: value for key, value in parameters.items() if value}, **options)
    except psycopg.Error as error:
        raise BackupError(f"the database does not answer: {_one_line(str(error))}") from None


def _one_line(text: str) -> str:
    return " ".join(text.split())


# --- Programs ---------------------------------------------------------------------------------------------


def program(name: str, at_least: int) -> str:
    """Returns the path of `pg_dump` or `pg_restore` in that major version or a newer one."""
    seen = 0
    for path in _candidates(name):
        version = _major(path)
        if version >= at_least:
            return str(path)
        seen = max(seen, version)
    found = f"found version {seen}" if seen else "not found"
    raise BackupError(
        f"{name} {at_least} or newer is needed: {found}. Install PostgreSQL's client programs "
        "(postgresql-client), or set GROKWEB_POSTGRES_PROGRAMS to their folder"
    )


def _candidates(name: str) -> Iterator[Path]:
    if PROGRAMS:
        yield Path(PROGRAMS) / name
        return
    on_path = shutil.which(name)
    if on_path:
        yield Path(on_path)
    yield from sorted(SYSTEM.glob(f"*/bin/{name}"), key=_folder_version, reverse=True)


def _folder_version(path: Path) -> int:
    text = path.parent.parent.name.partition(".")[0]
    return int(text) if text.isdigit() else 0


def _major(path: Path) -> int:
    try:
        result = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r"\(PostgreSQL\) (\d+)", result.stdout)
    return int(match[1]) if match else 0


def _run(command: list[str], database: Mapping[str, Any]) -> str:
    """Runs a client program; the password goes through its environment, which others cannot read."""
    options = database.get("OPTIONS", {})
    given = {
        "PGHOST": database["HOST"],
        "PGPORT": str(database["PORT"] or ""),
        "PGUSER": database["USER"],
        "PGPASSWORD": database["PASSWORD"],
        "PGDATABASE": database["NAME"],
        **{f"PG{key.upper()}": str(options[key]) for key in ("sslmode", "sslrootcert") if key in options},
    }
    environment = {**os.environ, **{key: value for key, value in given.items() if value}}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        said = _one_line(done.stderr)[:500] or f"status {done.returncode}"
        raise BackupError(f"{Path(command[0]).name} failed: {said}")
    return done.stdout


# --- Dump -------------------------------------------------------------------------------------------------


@contextmanager
def snapshot(database: Mapping[str, Any]) -> Iterator[Any]:
    """Opens a read-only transaction that sees one moment; `dump` reads the same moment."""
    import psycopg

    with connect(database) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection


def server_version(connection: Any) -> int:
    return int(connection.info.server_version) // 10000


def dump(connection: Any, database: Mapping[str, Any], target: Path) -> None:
    """Dumps, in pg_dump's custom format, the moment that `connection` sees."""
    path = program("pg_dump", server_version(connection))
    moment = connection.execute("SELECT pg_export_snapshot()").fetchone()[0]
    target.touch(mode=0o600)
    _run(
        [path, "--format=custom", "--schema=public", "--no-owner", "--no-privileges", "--no-comments",
         f"--snapshot={moment}", f"--file={target}"],
        database,
    )  # fmt: skip


def check_dump(path: Path, version: int) -> None:
    """Raises unless pg_restore can read the whole list of contents."""
    try:
        listing = _run([program("pg_restore", version), "--list", str(path)], {**_NOWHERE})
    except BackupError as error:
        raise BackupError(f"the backup's database cannot be read: {error}") from None
    if "TABLE DATA public django_migrations" not in listing:
        raise BackupError("the backup's database is not one of GrokWeb: it has no django_migrations")


_NOWHERE = {"HOST": "", "PORT": "", "USER": "", "PASSWORD": "", "NAME": ""}


def migrations(connection: Any) -> list[list[str]]:
    rows = connection.execute("SELECT app, name FROM django_migrations ORDER BY app, name").fetchall()
    return [list(row) for row in rows]


def tables(connection: Any, schema: str = "public") -> list[str]:
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind IN ('r', 'p')"
        " ORDER BY relname",
        [schema],
    )
    return [str(row[0]) for row in rows.fetchall()]


def counts(connection: Any) -> dict[str, int]:
    from psycopg import sql

    query = sql.SQL("SELECT count(*) FROM {}")
    return {
        table: int(connection.execute(query.format(sql.Identifier("public", table))).fetchone()[0])
        for table in tables(connection)
    }


def stored_files(connection: Any) -> set[str]:
    return {
        str(row[0])
        for row in connection.execute("SELECT stored FROM files_file WHERE stored <> ''").fetchall()
    }


# --- Restore ----------------------------------------------------------------------------------------------


def others(connection: Any) -> int:
    """Returns other connections to this database: a service, or somebody's shell."""
    row = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    ).fetchone()
    return int(row[0])


# Everything in a schema that no extension owns; tables move with their indexes, triggers and own sequences.
_OBJECTS = """
SELECT 'TABLE', format('%%I.%%I', n.nspname, c.relname) FROM pg_class c
 JOIN pg_namespace n ON n.oid = relnamespace WHERE n.nspname = %(schema)s AND relkind IN ('r', 'p')
 AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
UNION ALL
SELECT 'SEQUENCE', format('%%I.%%I', n.nspname, c.relname) FROM pg_class c
 JOIN pg_namespace n ON n.oid = relnamespace WHERE n.nspname = %(schema)s AND relkind = 'S'
 AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i', 'e'))
UNION ALL
SELECT 'VIEW', format('%%I.%%I', n.nspname, c.relname) FROM pg_class c
 JOIN pg_namespace n ON n.oid = relnamespace WHERE n.nspname = %(schema)s AND relkind = 'v'
 AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
UNION ALL
SELECT 'ROUTINE', format('%%I.%%I(%%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
 FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
 WHERE n.nspname = %(schema)s
 AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
"""


def _objects(connection: Any, schema: str) -> list[tuple[str, str]]:
    return [(str(kind), str(name)) for kind, name in connection.execute(_OBJECTS, {"schema": schema})]


def aside_name(stamp: str) -> str:
    return f"{ASIDE}_{re.sub('[^0-9a-z]', '', stamp.lower())}"


def set_aside(connection: Any, schema: str) -> None:
    """Moves all of `public` into a new schema, in one transaction."""
    with connection.transaction():
        connection.execute(f'CREATE SCHEMA "{schema}"')
        for kind, name in _objects(connection, "public"):
            connection.execute(f'ALTER {kind} {name} SET SCHEMA "{schema}"')


def bring_back(connection: Any, schema: str) -> None:
    """Reverses set_aside, whatever a failed restore left in `public`. Without such a schema, does nothing."""
    with connection.transaction():
        if not connection.execute("SELECT to_regnamespace(%s)", [schema]).fetchone()[0]:
            return
        for kind, name in _objects(connection, "public"):
            connection.execute(f"DROP {kind} IF EXISTS {name} CASCADE")
        for kind, name in _objects(connection, schema):
            connection.execute(f"ALTER {kind} {name} SET SCHEMA public")
        connection.execute(f'DROP SCHEMA "{schema}"')


def restore(dump_file: Path, database: Mapping[str, Any], version: int) -> None:
    """Fills the empty schema `public` in one transaction. Uses pg_restore: psql would execute a dump."""
    _run(
        [program("pg_restore", version), "--single-transaction", "--exit-on-error", "--no-owner",
         "--no-privileges", "--no-comments", "--schema=public",
         f"--dbname={database['NAME']}", str(dump_file)],
        database,
    )  # fmt: skip
