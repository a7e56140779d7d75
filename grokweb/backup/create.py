"""Makes a backup while the service runs.

Files and rows must match. The bytes of an upload exist before its row and are removed after it. Therefore
every existing file first gets a second name (a hard link), then the database is copied as of one moment, then
files that were added meanwhile get theirs. If a row of the copy has no linked file, it was deleted within
these seconds, and both steps are repeated.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from grokweb.backup import archive, postgres, sqlite
from grokweb.backup.archive import KEY, SETTINGS, Manifest, Reader
from grokweb.backup.errors import BackupError
from grokweb.backup.places import COPY, LINKS, Places, private_folder, stamp

TRIES = 5


def default_name() -> str:
    return f"grokweb-backup-{stamp()}.zip"


def create(places: Places, target: Path, *, key: str, version: str, force: bool) -> tuple[Path, Manifest]:
    """Writes a checked archive to `target` (a file, or a folder that gets one); returns its path."""
    if target.is_dir():
        target = target / default_name()
    if target.exists() and not force:
        raise BackupError(f"{target} exists already: choose another name, or use --force")
    if not target.parent.is_dir():
        raise BackupError(f"{target.parent} is not a directory")
    if target.resolve().is_relative_to(places.files.resolve()):
        raise BackupError(f"{target} is among the files that are backed up: choose another directory")
    manifest = Manifest(
        app_version=version,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        database=places.kind,
        migrations=[],
        rows={},
    )
    with (
        private_folder(places.data, LINKS) as links,
        private_folder(target.parent, COPY) as folder,
    ):
        database = folder / archive.DATABASES[places.kind]
        names = _consistent(places, database, links, manifest)
        _check_space(target.parent, database, links, names)
        with archive.new_file(target, folder / "partial.zip", manifest, replace=force) as writer:
            writer.add_path(database.name, database)
            with (folder / KEY).open("x+b") as file:
                file.write(key.encode())
                file.seek(0)
                writer.add(KEY, file)
            for name in SETTINGS:
                if (places.data / name).is_file():
                    writer.add_path(name, places.data / name)
            for name in sorted(names - set(manifest.missing)):
                writer.add_path(f"files/{name}", links / name)
    return target, manifest


def _check_space(folder: Path, database: Path, links: Path, names: set[str]) -> None:
    files = sum((links / name).stat().st_size for name in names if (links / name).exists())
    needed = database.stat().st_size + files
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BackupError(f"{folder} has {free:,} bytes free; the backup may need {needed:,}")


def _consistent(places: Places, database: Path, links: Path, manifest: Manifest) -> set[str]:
    """Copies the database and links all files that it names. Returns the names."""
    take = _take_sqlite if places.kind == "sqlite" else _take_postgres
    for _attempt in range(TRIES):
        _link(places.files, links, _all_names(places.files))
        database.unlink(missing_ok=True)
        names, still_named = take(places, database, manifest)
        _link(places.files, links, names)
        gone = {name for name in names if not (links / name).exists()}
        lost = gone & still_named() if gone else set()
        if gone == lost:
            manifest.missing = sorted(lost)
            return names
    raise BackupError("files are deleted faster than they can be copied: try again later")


def _take_sqlite(
    places: Places, database: Path, manifest: Manifest
) -> tuple[set[str], Callable[[], set[str]]]:
    sqlite.snapshot(places.sqlite, database)
    os.chmod(database, 0o600)
    sqlite.check(database)
    manifest.migrations, manifest.rows = sqlite.migrations(database), sqlite.counts(database)
    return sqlite.stored_files(database), lambda: sqlite.stored_files(places.sqlite)


def _take_postgres(
    places: Places, database: Path, manifest: Manifest
) -> tuple[set[str], Callable[[], set[str]]]:
    with postgres.snapshot(places.database) as moment:
        manifest.migrations, manifest.rows = postgres.migrations(moment), postgres.counts(moment)
        names = postgres.stored_files(moment)
        postgres.dump(moment, places.database, database)
        postgres.check_dump(database, postgres.server_version(moment))

    def now() -> set[str]:
        with postgres.connect(places.database) as connection:
            return postgres.stored_files(connection)

    return names, now


def _all_names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.glob("*/*") if path.is_file()}


def _link(source: Path, links: Path, names: set[str]) -> None:
    for name in names:
        if not archive.NAMES.fullmatch(f"files/{name}"):
            raise BackupError(f"a file is stored under the unexpected name {name[:80]!r}")
        target = links / name
        if target.exists():
            continue
        target.parent.mkdir(exist_ok=True, mode=0o700)
        with suppress(FileNotFoundError):
            try:
                os.link(source / name, target)
            except FileNotFoundError:
                raise
            except OSError:  # a file system without links
                shutil.copyfile(source / name, target)


def verify(target: Path, manifest: Manifest) -> None:
    """Reads the new archive as a restore would; raises unless the database in it is sound."""
    with (
        Reader(target) as written,
        private_folder(target.parent, COPY) as folder,
    ):
        if written.manifest.members != manifest.members:
            raise BackupError(f"{target} was changed while it was checked")
        database = folder / written.database
        written.extract(written.database, database)
        check_database(database, written.manifest)


def check_database(database: Path, manifest: Manifest) -> None:
    """Raises unless the extracted database is sound and holds what the manifest says."""
    if manifest.database == "postgresql":
        postgres.check_dump(database, 0)
        return
    sqlite.check(database)
    check_contents(manifest, sqlite.migrations(database), sqlite.counts(database))
    check_files(manifest, sqlite.stored_files(database))


def check_contents(manifest: Manifest, migrations: list[list[str]], rows: dict[str, int]) -> None:
    if sorted(migrations) != sorted(manifest.migrations):
        raise BackupError("the backup is damaged: its migrations differ from the manifest's")
    for table in sorted(rows.keys() | manifest.rows.keys()):
        found, expected = rows.get(table), manifest.rows.get(table)
        if found != expected:
            raise BackupError(
                f"the backup is damaged: {table} has {found} rows, the manifest says {expected}"
            )


def check_files(manifest: Manifest, names: set[str]) -> None:
    held = {name.removeprefix("files/") for name in manifest.members if name.startswith("files/")}
    lacking = names - held - set(manifest.missing)
    if lacking:
        raise BackupError(f"the backup is damaged: it lacks the file {sorted(lacking)[0]}")
