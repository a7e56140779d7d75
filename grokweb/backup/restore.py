"""Replaces this installation by a backup: unpacks beside it, checks, then swaps by renames."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from grokweb import known_migrations, renamed_apps
from grokweb.backup import create, journal, postgres, sqlite
from grokweb.backup.archive import KEY, SETTINGS, Manifest, Reader
from grokweb.backup.errors import BackupError
from grokweb.backup.places import Places, stamp
from grokweb.instance_lock import StartError, take_lock

SPARE_BYTES = 16 << 20
STAMPED = "prepared.json"  # what `prepare` remembers; another database needs it anew


@dataclass(frozen=True, slots=True)
class Restored:
    manifest: Manifest
    previous: str = ""  # folder with the old installation, empty if there was none
    schema: str = ""  # PostgreSQL's schema with the old tables
    recovered: str = ""


def restore(places: Places, source: Path, *, force: bool) -> Restored:
    places.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = _locked(places)
    try:
        recovered = journal.recover(places.data, places.database)
        with Reader(source) as backup:
            _check_fits(places, backup)
            if not force and _is_installed(places):
                raise BackupError(
                    "there is an installation here already; --force replaces it (and moves it aside)"
                )
            previous, aside = _replace(places, backup)
            return Restored(backup.manifest, previous, aside, recovered)
    finally:
        lock.close()


def _locked(places: Places) -> IO[str]:
    """Locks the data directory for the whole restore, so that no `up` starts."""
    try:
        return take_lock(places.data, places.run)
    except StartError as error:
        raise BackupError(str(error)) from None


def _check_fits(places: Places, backup: Reader) -> None:
    manifest = backup.manifest
    if manifest.database != places.kind:
        raise BackupError(
            f"the backup contains a {manifest.database} database, and DATABASE_URL names {places.kind}: "
            "restore it where it came from; move_database goes from SQLite to PostgreSQL afterwards"
        )
    # A backup of an earlier release has its names; `prepare` renames them in the restored database.
    unknown = sorted(
        {renamed_apps.current_name(*each) for each in manifest.migrations} - known_migrations.known()
    )
    if unknown:
        raise BackupError(
            f"the backup is of a newer version of GrokWeb ({manifest.app_version}): "
            f"this one does not know {unknown[0][0]}.{unknown[0][1]}; update GrokWeb first"
        )
    free = shutil.disk_usage(places.data).free
    if free < backup.size + SPARE_BYTES:
        raise BackupError(f"{places.data} has {free:,} bytes free; the backup needs {backup.size:,}")


def _is_installed(places: Places) -> bool:
    """Returns whether anything would be lost. A signing key alone does not count: any command creates it."""
    if places.files.is_dir() and any(places.files.iterdir()):
        return True
    if places.kind == "sqlite":
        return places.sqlite.exists() and places.sqlite.stat().st_size > 0
    with postgres.connect(places.database, autocommit=True) as connection:
        return bool(postgres.tables(connection))


def _replace(places: Places, backup: Reader) -> tuple[str, str]:
    now = stamp()
    previous = _unused(places.data / f"before-restore-{now}")
    staged = _staging(places, previous.name)
    try:
        database = _unpack(places, backup, staged)
        plan = _plan(places, backup, staged, database, previous)
        if places.kind == "sqlite":
            _check_unused(places)
            create.check_database(database, backup.manifest)
        else:
            plan.aside = postgres.aside_name(previous.name.removeprefix("before-restore-"))
            _replace_tables(places, database, backup.manifest, plan)
        plan.phase = "swap"
        plan.write(places.data)
    except BaseException:
        if not journal.pending(places.data):
            shutil.rmtree(staged, ignore_errors=True)
        raise
    journal.finish(places.data, plan)
    (places.run / STAMPED).unlink(missing_ok=True)
    os.chmod(places.data, 0o700)
    return str(previous) if previous.exists() else "", plan.aside


def _unused(path: Path) -> Path:
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def _staging(places: Places, name: str) -> Path:
    """Creates a directory on the data's disk, so that a rename puts its content in place."""
    staged = places.data / f"{journal.STAGED}{name}"
    staged.mkdir(mode=0o700)
    return staged


def _unpack(places: Places, backup: Reader, staged: Path) -> Path:
    """Unpacks all members and checks their checksums. Returns the database's path."""
    database = _database_folder(places, staged) / backup.database
    backup.extract(backup.database, database)
    for name in (KEY, *backup.settings):
        backup.extract(name, staged / name)
    (staged / "files").mkdir(mode=0o700)
    for name in backup.files:
        target = staged / name
        target.parent.mkdir(exist_ok=True, mode=0o700)
        backup.extract(name, target)
    return database


def _database_folder(places: Places, staged: Path) -> Path:
    """Returns where to create the new SQLite file: on the disk of the old one."""
    if places.kind != "sqlite" or places.sqlite.parent.resolve() == places.data.resolve():
        return staged
    folder = places.sqlite.parent / staged.name
    folder.mkdir(parents=True, mode=0o700)
    return folder


def _plan(places: Places, backup: Reader, staged: Path, database: Path, previous: Path) -> journal.Journal:
    """Plans the moves: old parts first; what cannot be created again moves last."""
    pairs = [(staged / name, places.data / name) for name in backup.settings]
    pairs += [(staged / KEY, places.key), (staged / "files", places.files)]
    # Backups of format 1 say nothing of settings: those that are here stay.
    settings = SETTINGS if backup.manifest.format > 1 else backup.settings
    old = [*(places.data / name for name in settings), places.key, places.files, places.data / "redis"]
    if places.kind == "sqlite":
        pairs.append((database, places.sqlite))
        # The log moves with the old file, so that it is never beside the new one.
        old += [Path(f"{places.sqlite}{suffix}") for suffix in ("", *sqlite.SIDECARS)]
    moves = [(str(path), str(_aside(places, path, previous))) for path in old if os.path.lexists(path)] + [
        (str(new), str(live)) for new, live in pairs
    ]
    return journal.Journal("database", [str(staged), str(database.parent)], moves)


def _aside(places: Places, path: Path, previous: Path) -> Path:
    if path.parent.resolve() == places.data.resolve():
        return previous / path.name
    return path.with_name(f"{previous.name}-{path.name}")


def _check_unused(places: Places) -> None:
    if sqlite.in_use(places.sqlite):
        raise BackupError(f"another process has {places.sqlite} open: stop it first")


def _replace_tables(places: Places, dump: Path, manifest: Manifest, plan: journal.Journal) -> None:
    """Replaces PostgreSQL's tables: the old ones move to a schema, the new ones come in one transaction."""
    with postgres.connect(places.database, autocommit=True) as connection:
        version = postgres.server_version(connection)
        postgres.check_dump(dump, version)
        if postgres.others(connection):
            raise BackupError("others are connected to the database: stop the service everywhere first")
        plan.write(places.data)
        try:
            postgres.set_aside(connection, plan.aside)
            postgres.restore(dump, places.database, version)
            create.check_contents(manifest, postgres.migrations(connection), postgres.counts(connection))
            create.check_files(manifest, postgres.stored_files(connection))
        except BaseException:
            journal.undo(places.data, plan, places.database)
            raise
