"""Adds, changes and removes tables of `models.toml`. Other lines, with their comments, stay as they are.

The new text is parsed before it replaces the file, in one step and with mode 0600. A lock file keeps two
commands apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Set
from dataclasses import fields, replace
from pathlib import Path

from inference.base import private_files
from inference.base.lines import english
from inference.base.model_list.entries import (
    DEFAULT,
    FILE_NAME,
    Entry,
    ModelList,
    Unreadable,
    parse,
    path_in,
    read,
)

HEADER = re.compile(r"\s*\[\s*(?P<name>[^\[\]]+?)\s*\]\s*(?:#.*)?")
FIRST_LINES = (
    "# The models that `manage.py up` serves; docs/models.md explains the fields.\n"
    "# A change is noticed within a second: only workers of changed tables start again.\n"
)


class CannotEdit(ValueError):
    """The change is refused; the file is as it was. The message is one line that says what to do."""


def add(data: Path, entries: list[Entry], *, default: str = "") -> None:
    """Adds tables, and makes one of all the default if `default` is given. Raises CannotEdit, Unreadable."""

    def change(text: str, before: ModelList) -> str:
        for entry in entries:
            if entry.slug in before.entries or entry.slug in before.wrong:
                raise CannotEdit(
                    english(
                        "%(file)s: [%(slug)s] is there already: remove it first, or choose another slug",
                        file=FILE_NAME,
                        slug=entry.slug,
                    )
                )
        added = "\n".join(_table(entry) for entry in entries)
        text = f"{text.rstrip()}\n\n{added}" if text.strip() else f"{FIRST_LINES}\n{added}"
        return _with_default(text, default) if default else text

    _edit(data, change, gone="", new=entries)


def set_default(data: Path, slug: str) -> None:
    """Makes a model that of new chats. Raises CannotEdit, Unreadable."""

    def change(text: str, before: ModelList) -> str:
        if slug not in before.entries:
            raise CannotEdit(
                english("%(file)s: there is no [%(slug)s] that can be used", file=FILE_NAME, slug=slug)
            )
        return _with_default(text, slug)

    _edit(data, change)


def set_key(data: Path, entry: Entry, key: str) -> None:
    """Gives a table another key, if it still is as `entry` says. Raises CannotEdit, Unreadable."""

    def change(text: str, before: ModelList) -> str:
        if before.entries.get(entry.slug) != entry:
            raise CannotEdit(
                english(
                    "%(file)s: [%(slug)s] was changed meanwhile: try again", file=FILE_NAME, slug=entry.slug
                )
            )
        return _with_key(text, entry.slug, key)

    _edit(data, change, new=[replace(entry, key=key)])


def remove(data: Path, slug: str) -> None:
    """Removes a table, and the default if it names that one. Raises CannotEdit, Unreadable."""

    def change(text: str, before: ModelList) -> str:
        if slug not in before.entries and slug not in before.wrong:
            known = ", ".join([*before.entries, *sorted(before.wrong)]) or "none"
            raise CannotEdit(f"{FILE_NAME}: there is no [{slug}]; the slugs are: {known}")
        text = _without_table(text, slug)
        return _without_default(text) if before.default == slug else text

    _edit(data, change, gone=slug)


def _edit(
    data: Path, change: Callable[[str, ModelList], str], *, gone: str = "", new: list[Entry] | None = None
) -> None:
    path = path_in(data)
    with private_files.locked(path):
        before = read(data)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        changed = change(text, before)
        expected = {slug: entry for slug, entry in before.entries.items() if slug != gone}
        expected |= {entry.slug: entry for entry in new or []}
        if not _says(changed, expected, before.wrong - {gone}):
            raise CannotEdit(
                english(
                    "%(file)s: its lines are too unusual for this command: edit it by hand", file=FILE_NAME
                )
            )
        private_files.replace(path, changed)


def _says(text: str, expected: Mapping[str, Entry], wrong: Set[str]) -> bool:
    """Returns whether a text names exactly these models, and as wrong ones those that were there."""
    try:
        result = parse(text)
    except Unreadable:
        return False
    return (result.entries, result.wrong) == (expected, wrong)


def _table(entry: Entry) -> str:
    values = {each.name: getattr(entry, each.name) for each in fields(entry) if each.name != "slug"}
    lines = [f"{name} = {_toml(value)}" for name, value in values.items() if value]
    return "\n".join([f"[{entry.slug}]", *lines, ""])


def _toml(value: str | int) -> str:
    """Returns a value in TOML; JSON's strings are strings of TOML, too."""
    return json.dumps(value, ensure_ascii=False)


def _name_of(line: str) -> str | None:
    """Returns the name of the table that begins at this line."""
    match = HEADER.fullmatch(line)
    return match["name"].strip("\"'") if match else None


def _span_of(lines: list[str], slug: str) -> range:
    """Returns the numbers of a table's lines up to the next header; none if there is no such table."""
    starts = [number for number, line in enumerate(lines) if _name_of(line) is not None]
    begin = next((number for number in starts if _name_of(lines[number]) == slug), len(lines))
    return range(begin, next((number for number in starts if number > begin), len(lines)))


def _with_key(text: str, slug: str, key: str) -> str:
    """Replaces the line of a table's key, or writes one below its header."""
    lines = text.split("\n")
    span = _span_of(lines, slug)
    if not span:
        return text
    old = next((number for number in span if re.match(r"\s*[\"']?key[\"']?\s*=", lines[number])), None)
    at = span.start + 1 if old is None else old
    return "\n".join([*lines[:at], f"key = {_toml(key)}", *lines[at if old is None else at + 1 :]])


def _without_table(text: str, slug: str) -> str:
    """Removes a table from its header to its last value. Comments and empty lines below that stay."""
    lines = text.split("\n")
    span = _span_of(lines, slug)
    if not span:
        return text
    begin, following = span.start, span.stop
    end = 1 + max(number for number in range(begin, following) if number == begin or _is_value(lines[number]))
    return "\n".join(lines[:begin] + lines[end:])


def _is_value(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _head_end(lines: list[str]) -> int:
    """Returns the number of lines before the first table."""
    return next((n for n, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))


def _without_default(text: str) -> str:
    lines = text.split("\n")
    head = _head_end(lines)
    kept = [line for line in lines[:head] if not re.match(rf"\s*[\"']?{DEFAULT}[\"']?\s*=", line)]
    return "\n".join(kept + lines[head:])


def _with_default(text: str, slug: str) -> str:
    """Writes the default above the first table, below the comments at the top."""
    lines = _without_default(text).split("\n")
    at = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    rest = lines[at:] if at < len(lines) and not lines[at].strip() else ["", *lines[at:]]
    return "\n".join([*lines[:at], f"{DEFAULT} = {_toml(slug)}", *rest])
