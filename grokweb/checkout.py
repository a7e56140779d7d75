"""Names the folders of this checkout in which `make` installs and builds."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STATIC = Path(os.environ.get("GROKWEB_STATIC") or ROOT / "build" / "static")


def translations() -> list[Path]:
    return sorted((ROOT / "locale").glob("*/LC_MESSAGES/*.po"))


def lock_files(extra: str = "") -> list[Path]:
    """Returns the lock files of the service and of an optional dependency group."""
    return [ROOT / "requirements" / f"{name}.txt" for name in ("run", extra) if name]
