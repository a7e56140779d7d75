"""Helps all exports: pieces, file names and batches of messages. A file is made while it is sent."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import close_old_connections, connection
from django.db.models import prefetch_related_objects
from django.utils.translation import gettext as _
from django.utils.translation import override

from chat.accounts.models import User
from chat.conversations.branches import current_leaf
from chat.conversations.models import Conversation, Message
from chat.conversations.settlement import settle_ended
from chat.conversations.tree import path_to
from chat.core.errors import BadInput

NAME_CHARS = 60
# Characters that file systems refuse or shells interpret.
_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f`$%]+')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # Windows'


AT_ONCE = 200  # messages in memory
PIECE_CHARS = 64_000  # sent at once


@dataclass(frozen=True, slots=True)
class File:
    name: str
    kind: str
    pieces: Iterator[str]


def batches(keys: Sequence[UUID]) -> Iterator[list[Message]]:
    """Yields current messages in the given order, a few in memory at a time."""
    for start in range(0, len(keys), AT_ONCE):
        batch = keys[start : start + AT_ONCE]
        found = Message.objects.prefetch_related("steps").in_bulk(batch)
        messages = [found[key] for key in batch if key in found]
        settle_ended(messages)
        yield messages


def dumped(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1)


def check_stays(conversation: Conversation) -> None:
    if conversation.temporary:
        raise BadInput(_("A temporary chat cannot be exported. Keep it first."))


def branch(conversation: Conversation, viewer: User, limit: int) -> list[Message]:
    leaf = current_leaf(viewer, conversation)
    messages = path_to(leaf, limit) if leaf else []
    prefetch_related_objects(messages, "steps")
    settle_ended(messages)
    return messages


def safe_name(conversation: Conversation) -> str:
    """Returns a file name without its ending, valid in any file system."""
    name = _safe(conversation.title)[:NAME_CHARS].strip(" .-~")
    if not name or _DEVICES.fullmatch(name):
        return f"conversation {str(conversation.pk)[:8]}"
    return name


def safe_file_name(name: str) -> str:
    """Returns a safe file name for a file of a conversation, with its extension."""
    name = _safe(name).strip(" .-~")
    return f"file {name}" if not name or _DEVICES.fullmatch(name) else name


def _safe(name: str) -> str:
    return " ".join(_NOT_IN_NAMES.sub(" ", name).split())


# --- In pieces -------------------------------------------------------------------------------------------


def next_pieces(pieces: Iterator[str], language: str) -> str:
    """Returns about one buffer of output; empty at the end."""
    some, size = [], 0
    with lent_connection(), override(language):
        for piece in pieces:
            some.append(piece)
            size += len(piece)
            if size >= PIECE_CHARS:
                break
    return "".join(some)


def in_pieces(file: File, language: str) -> Generator[bytes]:
    """Yields the file to be sent in buffers of some size."""
    while piece := next_pieces(file.pieces, language):
        yield piece.encode()


@contextmanager
def lent_connection() -> Iterator[None]:
    """Returns the database connection to the pool after each piece, so that slow readers hold none."""
    try:
        yield
    finally:
        if not connection.in_atomic_block:
            close_old_connections()
