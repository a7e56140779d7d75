"""Finds chromium: GROKWEB_CHROMIUM, the system's, or the one that Playwright installed.

Chromium without windows (`chromium-headless-shell`) comes first: it shows the same pages and takes a third of
the processor time, because it draws no frame, tabs and menus around them. It shows no notifications.
"""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path

WITHOUT_WINDOWS = ("chromium-headless-shell", "chrome-headless-shell")
WITH_WINDOWS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLAYWRIGHTS = ("chromium_headless_shell-*/chrome-*/*headless[-_]shell", "chromium-*/chrome-linux*/chrome")
MISSING = "no chromium: apt-get install chromium-headless-shell  (browser tests not run)"
NO_NOTIFICATIONS = "no chromium that shows notifications: apt-get install chromium"
# Frames of other sites get processes of their own, as on a desktop. Root must do without chromium's sandbox.
OPTIONS = ["--site-per-process", "--enable-features=IsolateSandboxedIframes"]
OPTIONS += ["--no-sandbox"] if os.geteuid() == 0 else []


@cache
def find() -> str | None:
    given = os.environ.get("GROKWEB_CHROMIUM")
    if given:
        return given if Path(given).is_file() else None
    return _installed((*WITHOUT_WINDOWS, *WITH_WINDOWS)) or _playwrights_own(*PLAYWRIGHTS)


@cache
def find_with_windows() -> str | None:
    given = os.environ.get("GROKWEB_CHROMIUM", "")
    if given and "headless" not in given:
        return find()
    return _installed(WITH_WINDOWS) or _playwrights_own(PLAYWRIGHTS[-1])


def _installed(names: tuple[str, ...]) -> str | None:
    return next(filter(None, map(shutil.which, names)), None)


def _playwrights_own(*patterns: str) -> str | None:
    cache_folder = Path(
        os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright"
    )
    found = (path for pattern in patterns for path in sorted(cache_folder.glob(pattern)))
    return next(map(str, found), None)
