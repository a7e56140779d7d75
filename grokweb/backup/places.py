"""Locates the parts of this installation."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Folders of a running backup: in the data directory with links to files, and beside the new archive with the
# database's copy.
LINKS, COPY = ".backup-", ".grokweb-backup-"


@dataclass(frozen=True, slots=True)
class Places:
    data: Path
    run: Path
    files: Path
    database: Mapping[str, Any]

    @property
    def key(self) -> Path:
        return self.data / "secret_key"

    @property
    def kind(self) -> str:
        return "sqlite" if self.database["ENGINE"].endswith("sqlite3") else "postgresql"

    @property
    def sqlite(self) -> Path:
        return Path(self.database["NAME"])


def here() -> Places:
    from django.conf import settings

    storages: Any = settings.STORAGES
    return Places(
        data=settings.DATA_DIR,
        run=settings.RUN_DIR,
        files=Path(storages["files"]["OPTIONS"]["location"]),
        database=settings.DATABASES["default"],
    )


def stamp() -> str:
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")


@contextmanager
def private_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Creates a directory with mode 0700 that is locked while in use and then removed."""
    sweep(parent, prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(handle)
        shutil.rmtree(folder, ignore_errors=True)


def sweep(parent: Path, *prefixes: str) -> None:
    """Removes what a killed backup left: it may contain text that was erased since."""
    for folder in [found for prefix in prefixes for found in parent.glob(f"{prefix}*") if found.is_dir()]:
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # in use
        finally:
            os.close(handle)
