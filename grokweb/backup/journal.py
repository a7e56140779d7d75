"""Replaces an installation so that a kill or power cut at any moment leaves a complete one.

`.restore.json` in the data directory records the phase. While it says `database`, PostgreSQL's tables
are being replaced, and recovery puts the old ones back. Once it says `swap`, everything new is complete and
checked, and recovery finishes the renames. `manage.py up` and `manage.py restore` recover before anything
else.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from grokweb.backup.archive import sync_folder
from grokweb.backup.errors import BackupError

JOURNAL = ".restore.json"
STAGED = ".restore-"  # folders in the data directory that hold an unpacked backup


@dataclass(slots=True)
class Journal:
    phase: str  # database | swap
    staged: list[str]  # files and folders to remove at the end
    moves: list[tuple[str, str]]  # from, to; in this order
    aside: str = ""  # PostgreSQL's schema with the old tables

    def write(self, data: Path) -> None:
        written = data / f"{JOURNAL}.new"
        handle = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        written.replace(data / JOURNAL)
        sync_folder(data)


def pending(data: Path) -> bool:
    return (data / JOURNAL).exists()


def read(data: Path) -> Journal:
    try:
        fields = json.loads((data / JOURNAL).read_text())
        moves = [(a, b) for a, b in fields["moves"]]
        return Journal(fields["phase"], fields["staged"], moves, fields["aside"])
    except (ValueError, KeyError, TypeError) as error:
        raise BackupError(f"{data / JOURNAL} cannot be read ({error}): restore a backup by hand") from None


def recover(data: Path, database: Mapping[str, Any]) -> str:
    """Completes or undoes an interrupted restore. Returns one line for the operator, or "".

    The caller must hold the lock of the data directory (instance_lock.py), so that nobody else restores.
    """
    message = ""
    if pending(data):
        journal = read(data)
        if journal.phase == "database":
            undo(data, journal, database)
            message = "An interrupted restore was undone: everything is as before."
        else:
            finish(data, journal)
            message = "An interrupted restore was finished."
    for place in {data, Path(database["NAME"]).parent if "sqlite" in database["ENGINE"] else data}:
        for folder in place.glob(f"{STAGED}*"):
            shutil.rmtree(folder, ignore_errors=True)
    return message


def undo(data: Path, journal: Journal, database: Mapping[str, Any]) -> None:
    from grokweb.backup import postgres

    with postgres.connect(database, autocommit=True) as connection:
        postgres.bring_back(connection, journal.aside)
    _close(data, journal)


def finish(data: Path, journal: Journal) -> None:
    """Makes the planned moves; each was possible when the plan was made, and is made once."""
    for source, target in journal.moves:
        _move(Path(source), Path(target))
    _close(data, journal)


def _move(source: Path, target: Path) -> None:
    """Moves one part. Its target name is unique, so that its existence shows that the move was made."""
    aside = not _is_staged(source)
    if not os.path.lexists(source) or (aside and os.path.lexists(target)):
        return
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    source.rename(target)
    sync_folder(target.parent)
    sync_folder(source.parent)


def _is_staged(path: Path) -> bool:
    return any(part.startswith(STAGED) for part in path.parts)


def _close(data: Path, journal: Journal) -> None:
    (data / JOURNAL).unlink(missing_ok=True)
    sync_folder(data)
    for name in journal.staged:
        path = Path(name)
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
