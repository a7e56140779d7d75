"""Builds files of which an import brings only the text or the name."""

from __future__ import annotations

import hashlib

from chat.accounts.models import User
from chat.core.text import estimate_tokens
from chat.files.models import File, Kind, State
from chat.files.names import clean_name


def of_text(*, owner: User, name: str, text: str) -> File:
    """Builds, without saving, a file of which only the text is known, as an import brings it."""
    data = text.encode()
    return File(
        owner=owner,
        name=clean_name(name),
        kind=Kind.TEXT,
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        state=State.READY,
        text=text,
        characters=len(text),
        tokens=estimate_tokens(text),
    )


def absent_image(*, owner: User, name: str) -> File:
    """Builds, without saving, an image of which only the name is known, as an import without bytes brings
    it.
    """
    return File(
        owner=owner,
        name=clean_name(name),
        kind=Kind.IMAGE,
        size=0,
        sha256=hashlib.sha256(b"").hexdigest(),
        state=State.READY,
    )
