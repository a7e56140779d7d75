"""Reads a secret that a variable holds, or a file that another variable names."""

from __future__ import annotations

from pathlib import Path

from inference.base.env import InvalidSetting


def read_secret(name: str, value: str, path: str) -> str:
    """Returns `value`, that of the variable `name`, or what is in the file at `path`, that of `name`_FILE;
    "" for none. Raises InvalidSetting with one line, in which the secret is not.
    """
    if value and path:
        raise InvalidSetting(f"set {name} or {name}_FILE, not both")
    if not path:
        return value
    try:
        found = Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InvalidSetting(f"{name}_FILE={path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidSetting(f"{name}_FILE={path}: it is not text") from None
    if not found:
        raise InvalidSetting(f"{name}_FILE={path} is empty: write the key into it")
    return found
