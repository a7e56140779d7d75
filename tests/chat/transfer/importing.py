"""Imports a file as a browser does, and reads what it stored."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from chat.conversations.models import Conversation, Message
from tests.chat.cast import Cast


def bring(client: Client, content: bytes, name: str = "conversations.json") -> Any:
    return client.post("/api/import/", {"file": SimpleUploadedFile(name, content)})


def report(answer: Any) -> Any:
    assert answer.status_code == 200, answer.content
    return answer.json()["report"]


def tree(conversation: Conversation) -> list[Any]:
    """(text, role, status, texts of the answers), from the roots down."""
    below: dict[Any, list[Message]] = {}
    for message in conversation.messages.order_by("created_at", "text"):
        below.setdefault(message.parent_id, []).append(message)

    def under(pk: Any) -> list[Any]:
        return [(m.text, m.role, m.status, under(m.pk)) for m in below.get(pk, [])]

    return under(None)


def only(cast: Cast) -> Conversation:
    return Conversation.objects.visible_to(cast.alice).get()


def everything(client: Client) -> bytes:
    """The zip of "Export everything"."""
    return client.get("/api/export/").getvalue()


def whole(content: bytes) -> dict[str, bytes]:
    """Returns the files of a zip, by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}
