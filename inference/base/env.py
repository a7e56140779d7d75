"""Reads environment variables with a type and limits, and lists every variable in KNOWN.

Some of them can be stored in a file instead (settings_file.py); a variable in the environment wins.

Standard library only, so that a model worker reads its settings without Django.
tests/grokweb/test_settings_documented.py compares KNOWN with the tables in docs/settings.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType

from inference.base import settings_file


class InvalidSetting(Exception):
    """A variable has a value that cannot be used. The message is one line for the operator."""


@dataclass(frozen=True, slots=True)
class Variable:
    """Describes one variable as docs/settings.md lists it."""

    name: str
    default: str
    about: str
    limits: str = ""  # "1 to 256", or the possible values


KNOWN: dict[str, Variable] = {}
# Deprecated name by the name of today; it is read where the new one is not set. docs/settings.md lists them.
DEPRECATED = {"GROKWEB_ERASURE_SECONDS": "GROKWEB_TRACES_SECONDS"}
_tried: ContextVar[Mapping[str, str]] = ContextVar("tried", default=MappingProxyType({}))


def text(name: str, default: str, about: str, *, limits: str = "") -> str:
    KNOWN[name] = Variable(name, default, about, limits)
    return _given(name) or default


def _given(name: str) -> str:
    tried = _tried.get()
    return tried[name] if name in tried else _from_environment(name) or _from_file(name)


def _from_environment(name: str) -> str:
    return os.environ.get(name, "") or os.environ.get(DEPRECATED.get(name, ""), "")


def _from_file(name: str) -> str:
    if name not in settings_file.STORABLE:
        return ""
    try:
        return settings_file.stored().get(name, "")
    except settings_file.FileUnusable as error:
        raise InvalidSetting(str(error)) from None


def is_in_environment(name: str) -> bool:
    """Returns whether the environment sets a variable, so that its line in the file has no effect."""
    return bool(_from_environment(name))


@contextmanager
def trying(values: Mapping[str, str]) -> Iterator[None]:
    """Reads these values in the block, in this thread, before they are stored: what is read there checks
    them. "" means the default."""
    token = _tried.set(values)
    try:
        yield
    finally:
        _tried.reset(token)


def shown_name(name: str) -> str:
    """Returns a variable's name for a message, with the file that its value is from."""
    is_stored = name in settings_file.STORABLE and name not in _tried.get() and not is_in_environment(name)
    return f"{settings_file.FILE_NAME}: {name}" if is_stored else name


def integer(name: str, default: int, about: str, *, low: int, high: int) -> int:
    raw = text(name, str(default), about, limits=f"{low:g} to {high:g}" if high < 1e6 else f"from {low:g}")
    try:
        value = int(raw)
    except ValueError:
        raise InvalidSetting(f"{shown_name(name)}={raw!r} is not a whole number") from None
    if not low <= value <= high:
        raise InvalidSetting(f"{shown_name(name)}={value} is not between {low} and {high}")
    return value


def number(name: str, default: float, about: str, *, low: float, high: float) -> float:
    raw = text(name, str(default), about, limits=f"{low:g} to {high:g}" if high < 1e6 else f"from {low:g}")
    try:
        value = float(raw)
    except ValueError:
        raise InvalidSetting(f"{shown_name(name)}={raw!r} is not a number") from None
    if not low <= value <= high:
        raise InvalidSetting(f"{shown_name(name)}={value} is not between {low} and {high}")
    return value


def flag(name: str, default: bool, about: str) -> bool:
    raw = text(name, "1" if default else "0", about, limits="0 or 1").lower()
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off"}:
        return False
    raise InvalidSetting(f"{shown_name(name)}={raw!r} is neither 1 nor 0")


def choice(name: str, default: str, about: str, *, among: tuple[str, ...]) -> str:
    """Returns one of `among`; small and capital letters are the same."""
    given = text(name, default, about, limits=", ".join(among))
    found = next((each for each in among if each.lower() == given.lower()), None)
    if found is None:
        raise InvalidSetting(f"{shown_name(name)}={given!r} is not one of: {', '.join(among)}")
    return found


def words(name: str, default: str, about: str) -> list[str]:
    """Returns the parts of a comma-separated list, without empty ones."""
    return [word.strip() for word in text(name, default, about).split(",") if word.strip()]
