"""Conversations as files: one as Markdown or JSON, all of them as a zip. Each is made while it is sent."""

from __future__ import annotations

import json
import re
import time
import zipfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import close_old_connections, connection
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import override

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message, MessageStatus, Role
from chat.conversations.origins import origin_of, origin_words
from chat.conversations.services import current_leaf, keys_to, path_to, settle_ended
from chat.core.errors import BadInput
from chat.files import services as files
from chat.transfer import voice
from chat.transfer.drafts import MESSAGES
from chat.transfer.formats.grokweb import written, written_message

NAME_CHARS = 60
# No file system takes these, and no shell is glad of them.
_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f`$%]+')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # Windows'


AT_ONCE = 200  # messages in memory
PIECE_CHARS = 64_000  # sent at once


@dataclass(frozen=True, slots=True)
class File:
    name: str
    kind: str
    pieces: Iterator[str]


def as_json(conversation: Conversation, viewer: User) -> File:
    """The whole tree (docs/transfer.md)."""
    return File(f"{safe_name(conversation)}.json", "application/json", _json_pieces(conversation, viewer))


def _json_pieces(conversation: Conversation, viewer: User) -> Iterator[str]:
    head = written(
        conversation, [], current_leaf(viewer, conversation), {}, voice.manner_written(conversation)
    )
    del head["messages"]
    yield _dumped(head).removesuffix("\n}") + ',\n "messages": ['
    keys = conversation.messages.order_by("created_at", "pk").values_list("pk", flat=True)
    between = ""
    for messages in _batches(list(keys)):
        carried = files.of_messages(messages, texts=True)
        for message in messages:
            yield between + "\n" + _dumped(written_message(message, carried.get(message.pk, [])))
            between = ","
    yield "\n ]\n}"


def _batches(keys: Sequence[UUID]) -> Iterator[list[Message]]:
    """The messages in this order, up to date, a few in memory at a time."""
    for start in range(0, len(keys), AT_ONCE):
        batch = keys[start : start + AT_ONCE]
        found = Message.objects.select_related("generation").in_bulk(batch)
        messages = [found[key] for key in batch if key in found]
        settle_ended(messages)
        yield messages


def _dumped(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, indent=1)


def as_markdown(conversation: Conversation, viewer: User) -> File:
    """The branch this person has open, to be read."""
    return File(f"{safe_name(conversation)}.md", "text/markdown", _markdown_pieces(conversation, viewer))


def _markdown_pieces(conversation: Conversation, viewer: User) -> Iterator[str]:
    day = date_format(timezone.localtime(conversation.created_at), "DATE_FORMAT")
    yield f"# {conversation.title or _('New chat')}\n\n*{conversation.model.name} · {day}*\n"
    yield "\n*" + _("The answers in this conversation come from an AI, not from a person.") + "*\n"
    leaf = current_leaf(viewer, conversation)
    for messages in _batches(keys_to(leaf, MESSAGES) if leaf else []):
        carried = files.of_messages(messages)
        for message in messages:
            origin = origin_words(origin_of(message))
            name = _("You") if message.role == Role.USER else origin or conversation.model.name
            yield f"\n## {name}\n\n"
            if message.pk in carried and message.hidden_at is None:
                names = ", ".join(f"`{file.name}`" for file in carried[message.pk])
                yield _("Files: %(names)s") % {"names": names} + "\n\n"
            yield _readable(message) + "\n"


FORMATS = {"json": as_json, "markdown": as_markdown}


def check_stays(conversation: Conversation) -> None:
    if conversation.temporary:
        raise BadInput(_("A temporary chat cannot be exported. Keep it first."))


def branch(conversation: Conversation, viewer: User, limit: int) -> list[Message]:
    leaf = current_leaf(viewer, conversation)
    messages = path_to(leaf, limit) if leaf else []
    settle_ended(messages)
    return messages


def _readable(message: Message) -> str:
    if message.hidden_at is not None:
        return "*" + _("A moderator removed this message.") + "*"
    if message.status == MessageStatus.LIVE:
        return "*" + _("This reply is still being written.") + "*"
    return message.text


def safe_name(conversation: Conversation) -> str:
    """Of a file, in any file system; without its ending."""
    name = _NOT_IN_NAMES.sub(" ", conversation.title)
    name = " ".join(name.split())[:NAME_CHARS].strip(" .-~")
    if not name or _DEVICES.fullmatch(name):
        return f"conversation {str(conversation.pk)[:8]}"
    return name


# --- Everything -------------------------------------------------------------------------------------------


class _Outlet:
    """What zipfile writes to: it cannot seek, and gives away what has come."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.size = 0

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        self.size += len(piece)
        return len(piece)

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def taken(self) -> bytes:
        whole = b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        return whole


def everything(owner: User, language: str) -> Generator[bytes]:
    """A zip in pieces, a part of one conversation in memory at a time. What is deleted meanwhile is not in
    it."""
    outlet = _Outlet()
    keys = Conversation.objects.listed_for(owner).order_by("created_at", "pk").values_list("pk", flat=True)
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED) as archive:
        if told := _own_voice(owner):
            archive.writestr("voice.json", told)
            yield outlet.taken()
        for number, key in enumerate(list(keys), 1):
            for make in FORMATS.values():
                yield from _written_into(archive, outlet, make, owner, key, number, language)
            yield outlet.taken()
    yield outlet.taken()


def _own_voice(owner: User) -> str:
    """First in the zip, so that conversations find their personas. Empty for a person who keeps none."""
    with _lent_connection():
        told = voice.written(owner)
        return _dumped(told) if told else ""


def _written_into(
    archive: zipfile.ZipFile,
    outlet: _Outlet,
    make: Callable[[Conversation, User], File],
    owner: User,
    key: UUID,
    number: int,
    language: str,
) -> Iterator[bytes]:
    """One conversation in one format. Between two pieces it holds no connection and no language."""
    with _lent_connection(), override(language):
        found = Conversation.objects.listed_for(owner).select_related("model").filter(pk=key).first()
    if found is None:
        return
    file = make(found, owner)
    folder = "json" if file.kind == "application/json" else "markdown"
    about = zipfile.ZipInfo(f"{folder}/{number:05} {file.name}", time.localtime()[:6])
    about.compress_type, about.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
    with archive.open(about, "w") as entry:
        while piece := _next_pieces(file.pieces, language):
            entry.write(piece.encode())
            if outlet.size >= PIECE_CHARS:
                yield outlet.taken()


def _next_pieces(pieces: Iterator[str], language: str) -> str:
    """About a buffer full; empty at the end."""
    some, size = [], 0
    with _lent_connection(), override(language):
        for piece in pieces:
            some.append(piece)
            size += len(piece)
            if size >= PIECE_CHARS:
                break
    return "".join(some)


def in_pieces(file: File, language: str) -> Generator[bytes]:
    """The file to be sent, in buffers of some size."""
    while piece := _next_pieces(file.pieces, language):
        yield piece.encode()


@contextmanager
def _lent_connection() -> Iterator[None]:
    """It goes back after each piece: whoever reads slowly holds none meanwhile."""
    try:
        yield
    finally:
        if not connection.in_atomic_block:
            close_old_connections()
