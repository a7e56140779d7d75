"""Notes when the last backup of this data directory was made, so that the doctor can say that one is due."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from inference.base import private_files

FILE_NAME = "last_backup"


def note(data: Path) -> None:
    """Writes the present time. Raises OSError."""
    private_files.replace(data / FILE_NAME, f"{datetime.now(UTC).isoformat(timespec='seconds')}\n")


def made_at(data: Path) -> datetime | None:
    """Returns the time of the last backup, None if there was none or the file cannot be read."""
    try:
        return datetime.fromisoformat((data / FILE_NAME).read_text().strip())
    except (OSError, ValueError):
        return None
