"""Moves SQLite to PostgreSQL through Django's fields, which keep every type and microsecond.

`dumpdata` cannot be used: its JSON cuts times to milliseconds, and the audit chain (chat/core/audit.py) seals
microseconds. All rows go into the target in one transaction, which ends only when the target, read back,
has the same count and the same digest for each table.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import environ
from django.apps import apps
from django.core.management.color import no_style
from django.db import DatabaseError, connections, models, transaction

from chat.accounts.models import User
from chat.conversations.models import Conversation
from chat.core import audit
from chat.search import index
from chat.search.models import Entry
from grokweb import renamed_apps
from grokweb.backup import postgres, sqlite
from grokweb.backup.errors import BackupError
from grokweb.backup.places import here
from grokweb.instance_lock import StartError, take_lock

SOURCE, TARGET = "default", "move_target"
BATCH = 500
OWN = {"django_migrations", Entry._meta.db_table}  # written by migrate and by the search triggers
MODULUS = 1 << 256


@dataclass(slots=True)
class Moved:
    tables: int = 0
    rows: int = 0
    replaced: Counter[str] = field(default_factory=Counter)  # by table.column


@dataclass(slots=True)
class Digest:
    """Counts rows and adds their hashes, independent of their order."""

    rows: int = 0
    sum: int = 0

    def add(self, row: tuple[Any, ...]) -> None:
        self.rows += 1
        text = json.dumps([_canonical(value) for value in row], sort_keys=True)
        self.sum = (self.sum + int.from_bytes(hashlib.sha256(text.encode()).digest())) % MODULUS


def move(url: str, *, report: Callable[[str], Any] = lambda line: None) -> Moved:
    places = here()
    if places.kind != "sqlite":
        raise BackupError("DATABASE_URL does not name a SQLite database: there is nothing to move")
    try:
        lock = take_lock(places.data, places.run)
    except StartError as error:
        raise BackupError(str(error)) from None
    try:
        _check_source(places.sqlite)
        target = _target(url)
        _check_empty(target)
        report("Making the tables …")
        _migrate(url)
        return _copy(target, report)
    finally:
        lock.close()


# --- Before -----------------------------------------------------------------------------------------------


def _check_source(path: Any) -> None:
    if sqlite.in_use(path):
        raise BackupError(f"another process has {path} open: stop it first")
    sqlite.check(path)
    if renamed_apps.has_old_labels(SOURCE):
        raise BackupError("the SQLite database is of an earlier release: run `manage.py prepare` first")
    known = {model._meta.db_table for model in _models()} | OWN
    with sqlite.opened(path) as connection:
        odd = [table for table in sqlite.tables(connection) if table not in known]
        for table in odd:
            if connection.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone():  # noqa: S608 - quoted
                raise BackupError(
                    f"the table {table} belongs to no installed application: move or drop it first"
                )


def _target(url: str) -> dict[str, Any]:
    try:
        config: dict[str, Any] = environ.Env.db_url_config(url)
    except (ValueError, KeyError):
        config = {"ENGINE": ""}
    if not str(config.get("ENGINE", "")).endswith("postgresql"):
        raise BackupError("--to needs an address like postgres://user:password@host/name")
    return config


def _check_empty(target: dict[str, Any]) -> None:
    """Raises unless the target has no tables, or only unused ones that `migrate` created."""
    with postgres.connect(target, autocommit=True) as connection:
        found = set(postgres.tables(connection))
        if found and "django_migrations" not in found:
            raise BackupError("the target has other tables already: it must be empty")
        for model in (User, Conversation):
            table = model._meta.db_table
            if table in found and connection.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone():  # noqa: S608
                raise BackupError(f"the target is in use already: {table} has rows; it must be empty")


def _migrate(url: str) -> None:
    """Migrates in a process for which the target is the only database: migrations may write rows."""
    done = subprocess.run(
        [sys.executable, "-m", "django", "migrate", "--no-input", "--verbosity", "0"],
        env={**os.environ, "DATABASE_URL": url, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BackupError(f"the target could not be migrated: {done.stderr.strip().splitlines()[-1:]}")


# --- Copy -------------------------------------------------------------------------------------------------


def _models() -> list[type[models.Model]]:
    """Returns the models of all tables, including those between two models; proxies have no table."""
    found = {
        model._meta.db_table: model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    }
    return [model for table, model in sorted(found.items()) if table not in OWN]


def _copy(config: dict[str, Any], report: Callable[[str], Any]) -> Moved:
    defaults = {**connections.settings[SOURCE], "OPTIONS": {}, "TEST": {}, "CONN_HEALTH_CHECKS": False}
    connections.settings[TARGET] = {**defaults, **config, "TIME_ZONE": None}
    try:
        _check_migrations()
        with transaction.atomic(using=TARGET):
            return _copy_all(report)
    except DatabaseError as error:
        raise BackupError(f"the target refused the data: {' '.join(str(error).split())}") from error
    finally:
        connections[TARGET].close()
        del connections[TARGET]
        del connections.settings[TARGET]


def _check_migrations() -> None:
    def applied(using: str) -> set[tuple[str, str]]:
        with connections[using].cursor() as cursor:
            cursor.execute("SELECT app, name FROM django_migrations")
            return set(cursor.fetchall())

    differing = sorted(applied(SOURCE) ^ applied(TARGET))
    if differing:
        app, name = differing[0]
        raise BackupError(
            f"the databases differ by the migration {app}.{name}: run `manage.py migrate` first"
        )


def _copy_all(report: Callable[[str], Any]) -> Moved:
    moved = Moved()
    everything = _models()
    index.before_migrating(TARGET, plan=[1])  # the search index is made in one go at the end
    _empty(everything)
    with transaction.atomic(using=SOURCE):  # one moment of the source
        broken_before = audit.verify(using=SOURCE)
        for model in everything:
            rows = _copy_table(model, moved)
            moved.tables += 1
            moved.rows += rows
            report(f"  {model._meta.db_table}: {rows:,}")
    _reset_sequences(everything)
    index.after_migrating(TARGET, plan=[1])
    with connections[TARGET].cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # missing rows are reported here
    if audit.verify(using=TARGET) != broken_before:
        raise BackupError("the audit chain of the copy differs from the source's: nothing was moved")
    return moved


def _empty(everything: list[type[models.Model]]) -> None:
    """Deletes the rows that `migrate` created: those of the source have their own ids."""
    quote = connections[TARGET].ops.quote_name
    names = ", ".join(quote(model._meta.db_table) for model in everything)
    with connections[TARGET].cursor() as cursor:
        cursor.execute(f"TRUNCATE {names}, {quote(Entry._meta.db_table)} CASCADE")


def _copy_table(model: type[models.Model], moved: Moved) -> int:
    fields = [each for each in model._meta.concrete_fields if each.column]
    sent, back = Digest(), Digest()
    rows = _rows(model, fields, SOURCE)
    target = connections[TARGET]
    quote = target.ops.quote_name
    columns = ", ".join(quote(str(each.column)) for each in fields)
    insert = (
        f"INSERT INTO {quote(model._meta.db_table)} ({columns})"  # noqa: S608 - quoted
        f" VALUES ({', '.join(['%s'] * len(fields))})"
    )
    with target.cursor() as cursor:
        while batch := list(islice(rows, BATCH)):
            clean = [_cleaned(model, fields, row, moved) for row in batch]
            for row in clean:
                sent.add(row)
            try:
                cursor.executemany(insert, [_prepared(fields, row, target) for row in clean])
            except DatabaseError as error:
                said = " ".join(str(error).split())
                raise BackupError(
                    f"{model._meta.db_table} cannot be copied: {said}; nothing was moved"
                ) from error
    for row in _rows(model, fields, TARGET):
        back.add(row)
    if sent != back:
        raise BackupError(f"{model._meta.db_table} differs after the copy: nothing was moved")
    return sent.rows


def _rows(model: type[models.Model], fields: list[Any], using: str) -> Iterator[tuple[Any, ...]]:
    names = [each.attname for each in fields]
    found = model._base_manager.using(using).order_by("pk").values_list(*names)
    return iter(found.iterator(chunk_size=BATCH))


def _prepared(fields: list[Any], row: tuple[Any, ...], target: Any) -> list[Any]:
    return [each.get_db_prep_save(value, target) for each, value in zip(fields, row, strict=True)]


def _cleaned(
    model: type[models.Model], fields: list[Any], row: tuple[Any, ...], moved: Moved
) -> tuple[Any, ...]:
    clean = tuple(_storable(value) for value in row)
    for each, before, after in zip(fields, row, clean, strict=True):
        if before != after:
            moved.replaced[f"{model._meta.db_table}.{each.column}"] += 1
    return clean


def _storable(value: Any) -> Any:
    """Replaces U+0000 and lone surrogates, which PostgreSQL cannot store."""
    if isinstance(value, str):
        return (
            value.replace("\x00", "\ufffd")
            .encode("utf-16-le", "surrogatepass")
            .decode("utf-16-le", "replace")
        )
    if isinstance(value, dict):
        return {_storable(key): _storable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_storable(each) for each in value]
    return value


def _canonical(value: Any) -> Any:
    """Returns one representation for equal values, from either database."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, float) and value.is_integer():
        return int(value)  # jsonb does not keep whether a number had a decimal point
    if isinstance(value, dict):
        return {key: _canonical(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(each) for each in value]
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _reset_sequences(everything: list[type[models.Model]]) -> None:
    target = connections[TARGET]
    with target.cursor() as cursor:
        for statement in target.ops.sequence_reset_sql(no_style(), everything):
            cursor.execute(statement)
