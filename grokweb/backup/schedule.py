"""Says when the next scheduled backup is due, and keeps what became of the last one.

`scheduled_backup.json` in the data directory holds the state: the folder, when the last one began, when the
last good one was made, and why one failed. Whoever makes a backup holds a lock on a file beside it, which the
system releases when that process ends in any way.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from grokweb.backup import places
from grokweb.backup.errors import BackupError
from grokweb.settings.backups import BackupPlan
from inference.base import private_files

FILE_NAME, LOCK_NAME = "scheduled_backup.json", ".scheduled_backup.lock"
RETRY = timedelta(minutes=30)  # after one that failed
STARTING = timedelta(minutes=1)  # for which a process may not have its lock yet


@dataclass(frozen=True, slots=True)
class State:
    """Holds what became of the last one: times in ISO 8601 and UTC, "" for never; `why` in English, for
    operators."""

    folder: str = ""
    began: str = ""
    made: str = ""
    why: str = ""

    @property
    def began_at(self) -> datetime | None:
        return _time(self.began)

    @property
    def made_at(self) -> datetime | None:
        return _time(self.made)

    @property
    def is_good(self) -> bool:
        """Returns whether the last one that began was made."""
        return bool(self.made) and self.made >= self.began

    def failure(self, data: Path) -> str:
        """Returns why the last one failed, "" if it did not, or still runs."""
        if not self.began or self.is_good:
            return ""
        if self.why:
            return self.why
        return "" if _is_within(self.began_at, STARTING) or is_running(data) else "it was interrupted"


def _time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


def _is_within(at: datetime | None, span: timedelta) -> bool:
    """Returns whether a time was less than `span` ago. One in the future was set by a wrong clock."""
    return at is not None and timedelta() <= datetime.now(UTC) - at < span


def read(data: Path) -> State:
    """Returns the empty state where the file is missing or damaged."""
    try:
        found = json.loads((data / FILE_NAME).read_text())
        return State(**{name: str(found[name]) for name in State.__dataclass_fields__})
    except (OSError, ValueError, KeyError, TypeError):
        return State()


def _write(data: Path, state: State) -> None:
    private_files.replace(data / FILE_NAME, json.dumps(asdict(state)) + "\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")  # texts in the order of time


def sweep(data: Path) -> None:
    """Removes what a killed backup left in the folder that was used last, also after backups were switched
    off."""
    if folder := read(data).folder:
        places.sweep(Path(folder), places.COPY)


def begin(data: Path, plan: BackupPlan) -> None:
    """Raises OSError, for example on a full disk."""
    known = read(data)
    if known.folder != str(plan.folder):
        sweep(data)
    made = known.made if known.folder == str(plan.folder) else ""
    _write(data, State(str(plan.folder), began=_now(), made=made))


def succeed(data: Path) -> None:
    _write(data, replace(read(data), made=_now(), why=""))


def fail(data: Path, why: str) -> None:
    _write(data, replace(read(data), why=" ".join(why.split())[:300]))


def is_due(data: Path, plan: BackupPlan) -> bool:
    if not plan.is_on:
        return False
    state = read(data)
    if state.folder != str(plan.folder):
        return True
    if state.is_good:
        return not _is_within(state.began_at, plan.interval)
    return not _is_within(state.began_at, min(RETRY, plan.interval)) and not is_running(data)


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Holds the lock of the one scheduled backup. Raises BackupError while another has it."""
    handle = os.open(data / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError("another scheduled backup is being made") from None
        yield
    finally:
        os.close(handle)


def is_running(data: Path) -> bool:
    try:
        with alone(data):
            return False
    except BackupError:
        return True
