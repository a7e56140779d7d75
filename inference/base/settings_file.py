"""Reads and writes `settings.toml` in the data directory: the settings that the setup page can change.

    GROKWEB_SIGNUP = "0"
    EMAIL_URL = "smtp+tls://user:password@mail.example.org:587"

The names are those of the environment variables, of which only STORABLE ones can stand here. A variable in
the environment wins over its line in the file (env.py).
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from inference.base import private_files

FILE_NAME = "settings.toml"
STORABLE = (
    "GROKWEB_SIGNUP",
    "EMAIL_URL",
    "GROKWEB_FROM_EMAIL",
    "GROKWEB_LANGUAGE",
    "GROKWEB_BACKUP_FOLDER",
    "GROKWEB_BACKUP_HOURS",
    "GROKWEB_BACKUP_KEEP",
)
LARGEST_FILE = 2**16  # bytes
LONGEST_VALUE = 2000  # characters
FIRST_LINES = (
    "# Settings of the setup page; docs/settings.md explains them.\n"
    "# Variables in the environment win. Comments are not kept when the page writes this file.\n\n"
)
ROOT = Path(__file__).resolve().parents[2]


class FileUnusable(ValueError):
    """The file cannot be used. The message is one line that begins with its name and quotes no value."""


_cached: dict[Path, tuple[tuple[int, ...], dict[str, str]]] = {}


def path_here() -> Path:
    """Returns the path of the file; GROKWEB_DATA has the same default in inference/settings.py."""
    return Path(os.environ.get("GROKWEB_DATA") or ROOT / "data").resolve() / FILE_NAME


def mark(path: Path) -> tuple[int, ...]:
    """Returns what changes whenever the file does; () without the file."""
    try:
        about = path.stat()
    except OSError:
        return ()
    return about.st_mtime_ns, about.st_ino, about.st_size


def stored(path: Path | None = None) -> dict[str, str]:
    """Returns the values of the file, read again only when it has changed. Raises FileUnusable."""
    path = path or path_here()
    now = mark(path)
    known = _cached.get(path)
    if known is None or known[0] != now:
        known = _cached[path] = (now, _read(path))
    return known[1]


def _read(path: Path) -> dict[str, str]:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise FileUnusable(f"{FILE_NAME}: {error.strerror or error}") from None
    if len(raw) > LARGEST_FILE:
        raise FileUnusable(f"{FILE_NAME}: it is larger than {LARGEST_FILE} bytes")
    try:
        document = tomllib.loads(raw.decode())
    except (ValueError, RecursionError):  # the parser's message may quote a password
        raise FileUnusable(f'{FILE_NAME}: it is not TOML: write lines such as GROKWEB_SIGNUP = "0"') from None
    return {name: _text(name, value) for name, value in document.items()}


def _text(name: str, value: object) -> str:
    if name not in STORABLE:
        shown = "".join(letter if letter.isprintable() else "?" for letter in name)[:64]
        raise FileUnusable(f"{FILE_NAME}: {shown} cannot stand here; possible are: {', '.join(STORABLE)}")
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str) or len(value) > LONGEST_VALUE or not (value.isprintable() or not value):
        raise FileUnusable(f"{FILE_NAME}: {name}: it must be a text in quotation marks on one line")
    return value.strip()


def store(values: Mapping[str, str], path: Path | None = None) -> None:
    """Changes some values and keeps the others; "" removes one. Raises FileUnusable and OSError."""
    path = path or path_here()
    with private_files.locked(path):
        changed = {**stored(path), **{name: _text(name, value) for name, value in values.items()}}
        lines = [
            f"{name} = {json.dumps(changed[name], ensure_ascii=False)}\n"
            for name in sorted(changed)
            if changed[name]
        ]
        private_files.replace(path, FIRST_LINES + "".join(lines))
