"""Cleans a file's name for display and for the model; it has no influence on where the file is stored."""

from __future__ import annotations

import re

from chat.core.text import one_line

CHARS = 120  # of File.name
_NOT_IN_NAMES = re.compile(r'[<>:"|?*`]+')


def clean_name(raw: str) -> str:
    """Removes folders, control, bidi and zero-width characters; shortens a long name but keeps its
    extension.
    """
    name = one_line(raw[:4000].encode("utf-8", "replace").decode())
    name = re.split(r"[\\/]", name)[-1]
    name = " ".join(_NOT_IN_NAMES.sub(" ", name).split()).strip(" .") or "file"
    if len(name) <= CHARS:
        return name
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 12:
        return name[: CHARS - 1] + "…"
    return f"{stem[: CHARS - len(ending) - 2]}….{ending}"
