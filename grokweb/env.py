"""Typed readers of environment variables that fail loudly; every variable is listed in KNOWN.

tests/grokweb/test_settings_documented.py holds KNOWN against the table in README.md.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class Variable:
    name: str
    default: str
    about: str


KNOWN: dict[str, Variable] = {}


def text(name: str, default: str, about: str) -> str:
    KNOWN[name] = Variable(name, default, about)
    return os.environ.get(name, "") or default


def integer(name: str, default: int, about: str, *, low: int, high: int) -> int:
    raw = text(name, str(default), about)
    try:
        value = int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={raw!r} is not a whole number") from None
    if not low <= value <= high:
        raise ImproperlyConfigured(f"{name}={value} is not between {low} and {high}")
    return value


def number(name: str, default: float, about: str, *, low: float, high: float) -> float:
    raw = text(name, str(default), about)
    try:
        value = float(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={raw!r} is not a number") from None
    if not low <= value <= high:
        raise ImproperlyConfigured(f"{name}={value} is not between {low} and {high}")
    return value


def flag(name: str, default: bool, about: str) -> bool:
    raw = text(name, "1" if default else "0", about).lower()
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name}={raw!r} is neither 1 nor 0")


def choice(name: str, default: str, about: str, *, among: tuple[str, ...]) -> str:
    given = text(name, default, about).lower()
    if given not in among:
        raise ImproperlyConfigured(f"{name}={given!r} is not one of: {', '.join(among)}")
    return given


def words(name: str, default: str, about: str) -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in text(name, default, about).split(",") if word.strip()]
