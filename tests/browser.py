"""Finds chromium: GROKWEB_CHROMIUM, the system's, or the one that Playwright installed."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "no chromium: apt-get install chromium  (browser tests not run)"


@cache
def find() -> str | None:
    given = os.environ.get("GROKWEB_CHROMIUM")
    if given:
        return given if Path(given).is_file() else None
    found = next(filter(None, map(shutil.which, NAMES)), None)
    return found or _playwrights_own()


def _playwrights_own() -> str | None:
    cache_folder = Path(
        os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright"
    )
    return next((str(path) for path in sorted(cache_folder.glob("chromium-*/chrome-linux*/chrome"))), None)
