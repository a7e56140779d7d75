"""Selects the images that a prompt has, and reads them for the worker.

They travel in the request, as base64: a worker has no way to the store of files. So their number and size are
bounded here, and the request, which reconcile builds again from the rows, stays the only copy in Redis.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from chat.conversations.models import Message, Role
from chat.core.errors import NotFound
from chat.files.file_storage import is_shown, original
from chat.files.models import Attachment, File, Kind

logger = logging.getLogger("grokweb.files")

MOST_IMAGES = 10  # of a prompt, the newest
MOST_BYTES = 3 << 20  # of them together; base64 makes four bytes of three
MARK = "Image: "  # before the name of each image in a prompt's text (files/prompt_text.py)


@dataclass(frozen=True, slots=True)
class Selected:
    """Holds the images by the message that has them, as prompts name them, and how many are left out."""

    by_message: Mapping[UUID, list[dict[str, Any]]] = field(default_factory=dict)
    left_out: int = 0

    @property
    def number(self) -> int:
        return sum(len(each) for each in self.by_message.values())


def select_images(messages: Sequence[Message], texts: Mapping[UUID, str], *, sees: bool) -> Selected:
    """Returns the images of messages, oldest first; none if the model does not see them.

    `texts` are what the model reads of the messages: only where they name images, rows are read.
    """
    asked = [each.pk for each in messages if each.role == Role.USER and MARK in texts.get(each.pk, "")]
    if not asked:
        return Selected()
    found = Attachment.objects.filter(message__in=asked, file__kind=Kind.IMAGE).select_related("file")
    carried: dict[UUID, list[File]] = {}
    for each in found.defer("file__text"):
        if is_shown(each.file):
            carried.setdefault(each.message_id, []).append(each.file)
    newest = [(pk, file) for pk in reversed(asked) for file in reversed(carried.get(pk, []))]
    chosen: dict[UUID, list[dict[str, Any]]] = {}
    number = size = 0
    for pk, file in newest if sees else []:
        if number == MOST_IMAGES or size + file.size > MOST_BYTES:
            break
        number, size = number + 1, size + file.size
        named = {"id": str(file.pk), "width": file.report["width"], "height": file.report["height"]}
        chosen.setdefault(pk, []).insert(0, named)
    return Selected(chosen, len(newest) - number)


def read_images(messages: Sequence[Mapping[str, Any]]) -> tuple[dict[str, str], ...]:
    """Returns the images that the messages of a prompt name, as a request carries them."""
    named = [each["id"] for message in messages for each in message.get("images", [])]
    files = File.objects.defer("text").in_bulk([UUID(each) for each in named]) if named else {}
    found = [files[UUID(each)] for each in dict.fromkeys(named) if UUID(each) in files]
    carried = (_carried(file) for file in found if not file.is_hidden)
    return tuple(each for each in carried if each)


def _carried(file: File) -> dict[str, str] | None:
    """Returns None where the store has lost the bytes or cannot read them: the reply then goes on with the
    image's name."""
    try:
        data = base64.b64encode(original(file)).decode()
    except (NotFound, OSError) as error:
        logger.warning("the store cannot give the bytes of image %s: %s", file.pk, type(error).__name__)
        return None
    return {"id": str(file.pk), "type": file.report["type"], "data": data}
