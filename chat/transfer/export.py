"""Conversations as files: one as Markdown or JSON, all of them as a zip that is made while it is sent."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
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
from chat.conversations.services import current_leaf, path_to, settle_ended
from chat.core.errors import BadInput
from chat.files import services as files
from chat.transfer import voice
from chat.transfer.drafts import MESSAGES
from chat.transfer.formats.grokweb import written

NAME_CHARS = 60
# No file system takes these, and no shell is glad of them.
_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f`$%]+')
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # Windows'


@dataclass(frozen=True, slots=True)
class File:
    name: str
    kind: str
    text: str


def as_json(conversation: Conversation, viewer: User) -> File:
    """The whole tree (docs/transfer.md)."""
    messages = list(conversation.messages.select_related("generation").order_by("created_at", "pk"))
    settle_ended(messages)
    carried = files.of_messages(messages, texts=True)
    told = written(
        conversation,
        messages,
        current_leaf(viewer, conversation),
        carried,
        voice.manner_written(conversation),
    )
    return File(f"{safe_name(conversation)}.json", "application/json", _dumped(told))


def _dumped(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, indent=1)


def as_markdown(conversation: Conversation, viewer: User) -> File:
    """The branch this person has open, to be read."""
    day = date_format(timezone.localtime(conversation.created_at), "DATE_FORMAT")
    parts = [f"# {conversation.title or _('New chat')}", f"*{conversation.model.name} · {day}*"]
    messages = branch(conversation, viewer, MESSAGES)
    carried = files.of_messages(messages)
    for message in messages:
        origin = origin_words(origin_of(message))
        name = _("You") if message.role == Role.USER else origin or conversation.model.name
        parts.append(f"## {name}")
        if message.pk in carried and message.hidden_at is None:
            names = ", ".join(f"`{file.name}`" for file in carried[message.pk])
            parts.append(_("Files: %(names)s") % {"names": names})
        parts.append(_readable(message))
    return File(f"{safe_name(conversation)}.md", "text/markdown", "\n\n".join(parts) + "\n")


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

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None: ...

    def close(self) -> None: ...

    def taken(self) -> bytes:
        whole = b"".join(self._pieces)
        self._pieces.clear()
        return whole


def everything(owner: User, language: str) -> Iterator[bytes]:
    """A zip in pieces, one conversation in memory at a time. What is deleted meanwhile is not in it."""
    outlet = _Outlet()
    keys = Conversation.objects.listed_for(owner).order_by("created_at", "pk").values_list("pk", flat=True)
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED) as archive:
        if told := _own_voice(owner):
            archive.writestr("voice.json", told)
            yield outlet.taken()
        for number, key in enumerate(list(keys), 1):
            for file in _both(owner, key, language):
                folder = "json" if file.kind == "application/json" else "markdown"
                archive.writestr(f"{folder}/{number:05} {file.name}", file.text)
            yield outlet.taken()
    yield outlet.taken()


def _own_voice(owner: User) -> str:
    """First in the zip, so that conversations find their personas. Empty for a person who keeps none."""
    with _lent_connection():
        told = voice.written(owner)
        return _dumped(told) if told else ""


def _both(owner: User, key: UUID, language: str) -> list[File]:
    with _lent_connection(), override(language):
        found = Conversation.objects.listed_for(owner).select_related("model").filter(pk=key).first()
        return [make(found, owner) for make in FORMATS.values()] if found else []


@contextmanager
def _lent_connection() -> Iterator[None]:
    """It goes back after each piece: whoever reads slowly holds none meanwhile."""
    try:
        yield
    finally:
        if not connection.in_atomic_block:
            close_old_connections()
