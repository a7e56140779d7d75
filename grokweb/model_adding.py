"""Adds a model to `models.toml`, for `manage.py models add` and the setup page alike."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Mapping, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.conf import settings

from grokweb import data_directory, model_check
from inference.base import private_files
from inference.base.lines import english, joined
from inference.base.model_list import editing
from inference.base.model_list.entries import (
    DEMO,
    FILE_NAME,
    LONGEST_SLUG,
    Entry,
    ModelList,
    make_entry,
    read,
)
from inference.engines.entry import Asked

KEYS = "keys"  # folder in the data directory: a file for each key that was given to the setup page
LONGEST_KEY = 2000  # characters


@dataclass(frozen=True, slots=True)
class Added:
    """Names a new table of the file. `demo`: the table that keeps the demo model, "" if none was added.

    `is_silent`: no server of the model answered, so that questions wait.
    """

    slug: str
    demo: str
    is_silent: bool = False


def add_model(
    source: str,
    *,
    slug: str = "",
    values: Mapping[str, Any] | None = None,
    secret: str = "",
    is_default: bool = False,
    is_numbered: bool = False,
    held_back: Set[str] = frozenset(),
) -> Added:
    """Checks everything before it writes anything; `secret` is a key, which gets a file of its own.

    `is_numbered`: if another model has the slug, it gets a number. `held_back`: variables that only workers
    of models have; a key in one of them cannot be checked here.
    The first model of a service that was configured by nothing becomes the default. Raises ValueError, with
    one line that says what to do, and OSError; then the file is as it was.
    """
    data: Path = settings.DATA_DIR
    source = absolute(source)
    fields = {"source": source, **(values or {})}
    about = model_check.describe_source(model_check.source_for(make_entry(slug or "unnamed", fields)))
    data_directory.make(data)
    before = read(data)
    slug = slug or about.slug
    entry = make_entry(_free_slug(slug, source, before) if is_numbered else slug, fields)
    if secret:
        _check_key(entry, secret)
        if entry.slug in before.entries or entry.slug in before.wrong:
            raise ValueError(
                english(
                    "%(file)s: [%(slug)s] is there already: remove it first, or choose another slug",
                    file=FILE_NAME,
                    slug=entry.slug,
                )
            )
    asked = _ask(entry, secret, held_back)
    demo = _demo_that_stays(before, entry)
    if model_check.is_configured() and entry.slug == str(settings.MODEL_SLUG):
        raise ValueError(
            english(
                "[%(slug)s] GROKWEB_MODEL serves this model already: give another --slug", slug=entry.slug
            )
        )
    key_file = _write_key(data, entry, secret) if secret else None
    if key_file is not None:
        entry = make_entry(entry.slug, {**fields, "key": str(key_file)})
    default = entry.slug if is_default or demo else ""
    try:
        editing.add(data, [entry, *([demo] if demo else [])], default=default)
    except (ValueError, OSError):
        if key_file is not None:
            key_file.unlink(missing_ok=True)
        raise
    return Added(entry.slug, demo.slug if demo else "", asked.is_silent)


def change_key(
    entry: Entry, *, key_name: str = "", secret: str = "", held_back: Set[str] = frozenset()
) -> bool:
    """Gives a model another key once its server has accepted it; a running `up` starts its worker again.

    Returns False, and changes nothing, if no server answered. Raises ValueError and OSError; then everything
    is as it was.
    """
    data: Path = settings.DATA_DIR
    if secret:
        _check_key(entry, secret)
        if _has_own_file(entry) and _stored(entry) == secret:
            return True
    if _ask(replace(entry, key=key_name), secret, held_back).is_silent:
        return False
    key_file = _write_key(data, entry, secret) if secret else None
    try:
        editing.set_key(data, entry, str(key_file) if key_file else key_name)
    except (ValueError, OSError):
        if key_file is not None:
            key_file.unlink(missing_ok=True)
        raise
    remove_key(entry)
    return True


def may_change_key(entry: Entry) -> bool:
    """Returns whether a model's key is nobody's own: none yet, entered on the setup page, or lost."""
    is_lost = entry.key.startswith("/") and not Path(entry.key).exists()
    return not entry.key or is_lost or _has_own_file(entry)


def _ask(entry: Entry, secret: str, held_back: Set[str]) -> Asked:
    """Raises ValueError if a server answers that something is wrong."""
    is_unseen = entry.key in held_back and not os.environ.get(entry.key)
    asked = Asked() if is_unseen else model_check.ask_entry(entry, os.environ, secret)
    if asked.problems:
        raise ValueError(joined(asked.problems))
    return asked


def _free_slug(slug: str, source: str, before: ModelList) -> str:
    taken = before.entries.keys() | before.wrong
    if model_check.is_configured() and source != settings.MODEL:
        taken |= {str(settings.MODEL_SLUG)}
    stem = slug[: LONGEST_SLUG - 4].rstrip("-")
    numbered = (f"{stem}-{number}" for number in itertools.count(2))
    return slug if slug not in taken else next(each for each in numbered if each not in taken)


def _check_key(entry: Entry, secret: str) -> None:
    """Raises ValueError, which does not repeat the key."""
    if not secret.isascii() or not secret.isprintable() or len(secret) > LONGEST_KEY or " " in secret:
        raise ValueError(english("the key has characters that no key has: copy it again"))
    if not entry.is_remote:
        raise ValueError(english("[%(slug)s] key: only a model behind a URL has one", slug=entry.slug))


def _write_key(data: Path, entry: Entry, secret: str) -> Path:
    """Writes a key for its owner alone, in a new file: that of another request stays as it is."""
    folder = data / KEYS
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{entry.slug}.{secrets.token_hex(4)}"
    private_files.replace(path, f"{secret}\n")
    return path


def remove_key(entry: Entry | None) -> None:
    """Removes the key file of a table that was removed, if the setup page had written it."""
    if entry is not None and _has_own_file(entry):
        Path(entry.key).unlink(missing_ok=True)


def _has_own_file(entry: Entry) -> bool:
    """Returns whether the key lies in a file that the setup page wrote; earlier ones have no suffix."""
    path = Path(entry.key)
    return path.parent == settings.DATA_DIR / KEYS and path.name.partition(".")[0] == entry.slug


def _stored(entry: Entry) -> str:
    try:
        return Path(entry.key).read_text().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def absolute(source: str) -> str:
    """Returns an existing folder with its whole path: the file is read in another directory."""
    path = Path(source).expanduser()
    return str(path.resolve()) if source != DEMO and path.is_dir() else source


def _demo_that_stays(before: ModelList, added: Entry) -> Entry | None:
    """Returns the table that keeps the demo model when the first other one is added.

    Without it the worker of the demo model would end, which runs where nothing is configured.
    """
    if model_check.is_configured() or before.entries or before.wrong:
        return None
    slug = str(settings.MODEL_SLUG)
    return Entry(slug, DEMO) if slug and slug != added.slug else None
