"""Makes the JSON of files, which pages show with a message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chat.conversations.models import Message
from chat.files.attaching import of_messages
from chat.files.file_storage import is_absent_image, is_shown
from chat.files.models import File
from chat.files.words import remarks_on, words_for


def load(messages: Sequence[Message]) -> None:
    """Adds the files of each message to its JSON (message_json, conversations/serializers.py); hidden ones
    list none.
    """
    carried = of_messages(messages)
    for message in messages:
        shown = [] if message.hidden_at else carried.get(message.pk, [])
        message.extras = {**message.extras, **extras(shown)}


def extras(files: Sequence[File]) -> dict[str, Any]:
    """Returns the part of a message's JSON that lists its files."""
    return {"files": [file_json(file) for file in files]}


def file_json(file: File) -> dict[str, Any]:
    return {
        "id": str(file.pk),
        "name": file.name,
        "kind": file.kind,
        "size": file.size,
        "state": file.state,
        "words": words_for(_why_not_shown(file)),
        "remarks": remarks_on(file.report),
        "characters": file.characters,
        "tokens": file.tokens,
        "original": bool(file.stored) and not file.is_hidden,
        "image": _shape(file),
    }


def _why_not_shown(file: File) -> str:
    if file.is_hidden:
        return "hidden_image"
    return "absent_image" if is_absent_image(file) else file.failure_reason


def _shape(file: File) -> list[int] | None:
    """Returns width and height of an image that can be shown."""
    return [file.report["width"], file.report["height"]] if is_shown(file) else None
