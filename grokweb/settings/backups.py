"""Reads the settings of the backups that the service makes by itself (grokweb/backup/schedule.py)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from inference import settings as live
from inference.base import env
from inference.base.env import InvalidSetting

NAMES = ("GROKWEB_BACKUP_FOLDER", "GROKWEB_BACKUP_HOURS", "GROKWEB_BACKUP_KEEP")
INSIDE = "backups"  # the one folder of the data directory that backups may be in


@dataclass(frozen=True, slots=True)
class BackupPlan:
    folder: Path | None
    hours: int
    keep: int

    @property
    def is_on(self) -> bool:
        return self.folder is not None and self.hours > 0

    @property
    def interval(self) -> timedelta:
        return timedelta(hours=self.hours)


def plan() -> BackupPlan:
    """Raises InvalidSetting. A folder that is not there is no error: its disk may come later."""
    return BackupPlan(
        folder=_folder(),
        hours=env.integer(
            "GROKWEB_BACKUP_HOURS",
            24,
            "Hours between two backups that the service makes by itself; 0: it makes none.",
            low=0,
            high=8760,
        ),
        keep=env.integer(
            "GROKWEB_BACKUP_KEEP",
            7,
            "Number of these backups to keep. Older ones are removed after a new one was made and checked.",
            low=1,
            high=1000,
        ),
    )


def _folder() -> Path | None:
    given = env.text(
        "GROKWEB_BACKUP_FOLDER",
        "",
        "Folder for backups that the service makes by itself, best on another disk. If empty, it makes none.",
    )
    if not given:
        return None
    name, folder = env.shown_name("GROKWEB_BACKUP_FOLDER"), Path(given)
    if not folder.is_absolute():
        raise InvalidSetting(f"{name}={given!r} is not an absolute path")
    data, there = live.DATA_DIR.resolve(), folder.resolve()
    if there.is_relative_to(data) and not there.is_relative_to(data / INSIDE):
        raise InvalidSetting(
            f"{name}: in the data directory, backups can only be in {live.DATA_DIR / INSIDE}"
        )
    return folder


BACKUPS = plan()
