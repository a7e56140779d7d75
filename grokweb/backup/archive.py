"""Defines a backup file: a ZIP archive whose last member, `manifest.json`, lists all others.

    manifest.json       format, application version, database kind, migrations, row counts, members
    database.sqlite3    or database.pgdump (pg_dump's custom format)
    secret_key          the signing key
    settings.toml       what the setup page changed, if it changed something
    models.toml         the models that `manage.py up` serves, if it is there (both since format 2)
    files/<2>/<name>    attached files

Reading trusts nothing: names must match `NAMES`, sizes and SHA-256 must match the manifest, and nothing else
may be inside. The checksums find damage, not forgery: a person who can write the file can write its manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from grokweb.backup.errors import BackupError

FORMAT = 2
MANIFEST = "manifest.json"
KEY = "secret_key"
SETTINGS = ("settings.toml", "models.toml")  # in the data directory, if they are there
DATABASES = {"sqlite": "database.sqlite3", "postgresql": "database.pgdump"}
NAMES = re.compile(
    r"database\.(sqlite3|pgdump)|secret_key|(settings|models)\.toml"
    r"|files/[0-9a-zA-Z_-]+/[0-9a-zA-Z_-][0-9a-zA-Z._-]*"
)
NAME_CHARACTERS = 200
MANIFEST_BYTES = 256 << 20  # about a million members
CHUNK = 1 << 20
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Member:
    size: int
    sha256: str


@dataclass(slots=True)
class Manifest:
    """Describes an archive. `missing` names files whose bytes were lost before the backup."""

    app_version: str
    created_at: str
    database: str
    migrations: list[list[str]]
    rows: dict[str, int]
    members: dict[str, Member] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    format: int = FORMAT

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode()

    @classmethod
    def from_json(cls, raw: bytes) -> Manifest:
        try:
            data = json.loads(raw)
            number = int(data["format"])
            if number > FORMAT:
                raise BackupError(
                    f"the backup has format {number}; this version of GrokWeb reads up to {FORMAT}: update it"
                )
            members = {
                str(name): Member(int(each["size"]), str(each["sha256"]))
                for name, each in data["members"].items()
            }
            return cls(
                app_version=str(data["app_version"]),
                created_at=str(data["created_at"]),
                database=str(data["database"]),
                migrations=[[str(app), str(name)] for app, name in data["migrations"]],
                rows={str(table): int(count) for table, count in data["rows"].items()},
                members=members,
                missing=[str(name) for name in data["missing"]],
                format=number,
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise BackupError("the backup is damaged: its manifest cannot be read") from None


class Writer:
    """Writes a new archive with mode 0600; `finish` adds the manifest."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.manifest = manifest
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._file = os.fdopen(handle, "wb")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=1)

    def add(self, name: str, source: IO[bytes]) -> None:
        digest, size = hashlib.sha256(), 0
        with self._zip.open(_info(name), "w", force_zip64=True) as member:
            while piece := source.read(CHUNK):
                digest.update(piece)
                size += len(piece)
                member.write(piece)
        self.manifest.members[name] = Member(size, digest.hexdigest())

    def add_path(self, name: str, path: Path) -> None:
        with path.open("rb") as source:
            self.add(name, source)

    def finish(self) -> None:
        self._zip.writestr(_info(MANIFEST), self.manifest.to_json())
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def close(self) -> None:
        """Closes after a failure; the caller removes the file."""
        self._file.close()


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFREG | 0o600) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


class Reader:
    """Reads an archive (`with Reader(path) as archive:`) after comparing its members with its manifest."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise BackupError(f"{path} does not exist") from None
        except UNREADABLE as error:
            raise BackupError(f"{path} is not a complete backup: {error}") from None
        try:
            self.manifest = self._checked_manifest()
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    @property
    def database(self) -> str:
        """Returns the name of the database's member."""
        return DATABASES[self.manifest.database]

    @property
    def files(self) -> list[str]:
        return sorted(name for name in self.manifest.members if name.startswith("files/"))

    @property
    def settings(self) -> list[str]:
        return [name for name in SETTINGS if name in self.manifest.members]

    @property
    def size(self) -> int:
        return sum(member.size for member in self.manifest.members.values())

    def _checked_manifest(self) -> Manifest:
        infos = self._zip.infolist()
        names = [info.filename for info in infos]
        if MANIFEST not in names:
            raise BackupError(f"{self.path} is not a backup of GrokWeb: it has no {MANIFEST}")
        if len(set(names)) < len(names):
            raise BackupError("the backup is refused: it contains one name twice")
        manifest = Manifest.from_json(self._whole(MANIFEST, MANIFEST_BYTES))
        _check_members(manifest, set(names) - {MANIFEST})
        for info in infos:
            _check_info(info, manifest)
        return manifest

    def _whole(self, name: str, most: int) -> bytes:
        try:
            with self._zip.open(name) as member:
                content = member.read(most + 1)
        except UNREADABLE as error:
            raise BackupError(f"the backup is damaged: {name}: {error}") from None
        if len(content) > most:
            raise BackupError(f"the backup is refused: {name} has more than {most:,} bytes")
        return content

    def key(self) -> str:
        """Returns the signing key after a check."""
        raw = b"".join(self.pieces(KEY))
        try:
            return raw.decode("ascii").strip()
        except UnicodeDecodeError:
            raise BackupError("the backup is damaged: its signing key is not text") from None

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yields a member's content; raises at its end if size or checksum differ from the manifest's."""
        expected = self.manifest.members[name]
        digest, size = hashlib.sha256(), 0
        try:
            with self._zip.open(name) as member:
                while piece := member.read(CHUNK):
                    digest.update(piece)
                    size += len(piece)
                    if size > expected.size:
                        break
                    yield piece
        except UNREADABLE as error:
            raise BackupError(f"the backup is damaged: {name}: {error}") from None
        if size != expected.size or digest.hexdigest() != expected.sha256:
            raise BackupError(f"the backup is damaged: {name} differs from the manifest")

    def extract(self, name: str, target: Path) -> None:
        """Writes one member to a new file with mode 0600."""
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            for piece in self.pieces(name):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())

    def check_all(self) -> None:
        """Reads every member to its end."""
        for name in self.manifest.members:
            for _piece in self.pieces(name):
                pass


def _check_members(manifest: Manifest, names: set[str]) -> None:
    if manifest.database not in DATABASES:
        raise BackupError(f"the backup is refused: unknown kind of database {manifest.database[:20]!r}")
    for name in names | manifest.members.keys():
        if not NAMES.fullmatch(name) or len(name) > NAME_CHARACTERS:
            raise BackupError(f"the backup is refused: a member is named {name[:80]!r}")
    if names != manifest.members.keys():
        odd = sorted(names ^ manifest.members.keys())[0]
        raise BackupError(f"the backup is damaged: {odd} is only in the archive, or only in its manifest")
    for needed in (DATABASES[manifest.database], KEY):
        if needed not in names:
            raise BackupError(f"the backup is damaged: {needed} is missing")
    if set(DATABASES.values()) <= names:
        raise BackupError("the backup is refused: it contains two databases")


def _check_info(info: zipfile.ZipInfo, manifest: Manifest) -> None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.is_dir() or kind not in (0, stat.S_IFREG) or info.flag_bits & 0x1:
        raise BackupError(f"the backup is refused: {info.filename} is not a plain file")
    if info.filename != MANIFEST and info.file_size != manifest.members[info.filename].size:
        raise BackupError(f"the backup is damaged: {info.filename} has another size than the manifest says")


@contextmanager
def new_file(target: Path, partial: Path, manifest: Manifest, *, replace: bool) -> Iterator[Writer]:
    """Gives an archive its name only when it is complete; until then it is `partial`, on the same disk."""
    writer = Writer(partial, manifest)
    try:
        yield writer
        writer.finish()
        with Reader(partial) as written:
            written.check_all()
        if replace:
            partial.replace(target)
        else:
            _name_new(partial, target)
        sync_folder(target.parent)
    finally:
        writer.close()
        partial.unlink(missing_ok=True)


def _name_new(partial: Path, target: Path) -> None:
    """Gives a file its name; refuses to overwrite, even a file that appeared meanwhile."""
    try:
        os.link(partial, target)
    except FileExistsError:
        raise BackupError(f"{target} exists already: choose another name, or use --force") from None
    except OSError:  # a file system without links
        if target.exists():
            raise BackupError(f"{target} exists already: choose another name, or use --force") from None
        partial.rename(target)


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def described(manifest: Manifest) -> dict[str, Any]:
    """Returns a description of the archive in one line."""
    return {
        "files": sum(name.startswith("files/") for name in manifest.members),
        "rows": sum(manifest.rows.values()),
        "bytes": sum(member.size for member in manifest.members.values()),
    }
