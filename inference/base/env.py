"""Reads environment variables with a type and limits, and lists every variable in KNOWN.

Standard library only, so that a model worker reads its settings without Django.
tests/grokweb/test_settings_documented.py compares KNOWN with the tables in docs/settings.md.
"""

from __future__ import annotations

import os
from dataclasses import dataclass


class InvalidSetting(Exception):
    """A variable has a value that cannot be used. The message is one line for the operator."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable as docs/settings.md lists it."""

    name: str
    default: str
    about: str
    limits: str = ""  # "1 to 256", or the possible values


KNOWN: dict[str, Variable] = {}
# Deprecated name by the name of today; it is read where the new one is not set. docs/settings.md lists them.
DEPRECATED = {"GROKWEB_ERASURE_SECONDS": "GROKWEB_TRACES_SECONDS"}


def text(name: str, default: str, about: str, *, limits: str = "") -> str:
    KNOWN[name] = Variable(name, default, about, limits)
    return os.environ.get(name, "") or os.environ.get(DEPRECATED.get(name, ""), "") or default


def integer(name: str, default: int, about: str, *, low: int, high: int) -> int:
    raw = text(name, str(default), about, limits=f"{low:g} to {high:g}" if high < 1e6 else f"from {low:g}")
    try:
        value = int(raw)
    except ValueError:
        raise InvalidSetting(f"{name}={raw!r} is not a whole number") from None
    if not low <= value <= high:
        raise InvalidSetting(f"{name}={value} is not between {low} and {high}")
    return value


def number(name: str, default: float, about: str, *, low: float, high: float) -> float:
    raw = text(name, str(default), about, limits=f"{low:g} to {high:g}" if high < 1e6 else f"from {low:g}")
    try:
        value = float(raw)
    except ValueError:
        raise InvalidSetting(f"{name}={raw!r} is not a number") from None
    if not low <= value <= high:
        raise InvalidSetting(f"{name}={value} is not between {low} and {high}")
    return value


def flag(name: str, default: bool, about: str) -> bool:
    raw = text(name, "1" if default else "0", about, limits="0 or 1").lower()
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off"}:
        return False
    raise InvalidSetting(f"{name}={raw!r} is neither 1 nor 0")


def choice(name: str, default: str, about: str, *, among: tuple[str, ...]) -> str:
    """Returns one of `among`; small and capital letters are the same."""
    given = text(name, default, about, limits=", ".join(among))
    found = next((each for each in among if each.lower() == given.lower()), None)
    if found is None:
        raise InvalidSetting(f"{name}={given!r} is not one of: {', '.join(among)}")
    return found


def words(name: str, default: str, about: str) -> list[str]:
    """Returns the parts of a comma-separated list, without empty ones."""
    return [word.strip() for word in text(name, default, about).split(",") if word.strip()]
