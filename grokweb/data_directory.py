"""Makes the data directory accessible to its owner alone. Standard library only."""

from __future__ import annotations

import os
import stat
from pathlib import Path

OTHERS = 0o077
OURS = (
    "secret_key",
    "run",
    "logs",
    "redis",
    "files",
    "grokweb.sqlite3",
    "models.toml",
    "settings.toml",
    "keys",
)


class FolderShared(Exception):
    """Explains in one line why a shared directory is refused."""


def make(path: Path) -> None:
    """Creates it, if missing, with mode 0700; `mkdir(parents=True)` would ignore the mode."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def tighten(path: Path) -> bool:
    """Removes the rights of others. Returns whether there were any.

    A directory with other content, such as /tmp or a home directory, is refused: others use it, too.
    """
    mode = mode_of(path)
    if not mode & OTHERS:
        return False
    if mode & stat.S_ISVTX or not _is_ours(path):
        raise FolderShared(f"{path} is open to other users (mode {mode:04o}) and holds other things, too")
    try:
        path.chmod(0o700)
    except OSError as error:
        raise FolderShared(f"{path} is open to other users (mode {mode:04o}): {error.strerror}") from None
    if mode_of(path) & OTHERS:
        raise FolderShared(f"{path} is open to other users (mode {mode:04o}), and its disk keeps no modes")
    return True


def _is_ours(path: Path) -> bool:
    names = os.listdir(path)
    return not names or any(name in OURS for name in names)
