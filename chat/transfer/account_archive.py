"""Streams everything of one user as a zip: conversations, files, personas, settings."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Generator, Iterator
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import override

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message
from chat.files import file_storage
from chat.files.models import File as Carried
from chat.transfer import account, export, personas
from chat.transfer.export import dumped, lent_connection, next_pieces, safe_file_name
from chat.transfer.formats import writers
from chat.transfer.formats.base import Format

PIECE_BYTES = 64_000  # of a file, sent at once


class _Outlet:
    """Collects what zipfile writes, without seeking, and hands it out in pieces."""

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


def account_archive(owner: User, language: str) -> Generator[bytes]:
    """Yields a zip in pieces, with a part of one conversation or file in memory at a time. Rows deleted
    meanwhile are left out.
    """
    outlet = _Outlet()
    keys = Conversation.objects.listed_for(owner).order_by("created_at", "pk").values_list("pk", flat=True)
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in _own(owner).items():
            archive.writestr(_entry(name), content)
        yield outlet.taken()
        packed: set[str] = set()
        for number, key in enumerate(list(keys), 1):
            for folder, one in writers().items():
                yield from _written_into(archive, outlet, folder, one, owner, key, number, language)
            for file in _files_of(owner, key):
                if file.sha256 not in packed:
                    packed.add(file.sha256)
                    yield from _bytes_into(archive, outlet, file)
            yield outlet.taken()
    yield outlet.taken()


def _own(owner: User) -> dict[str, str]:
    """Returns the files of the account. They come first, so that conversations find their personas."""
    with lent_connection():
        texts = personas.written(owner)
        entries = {"personas.json": dumped(texts)} if texts else {}
        return {**entries, "account.json": dumped(account.written(owner))}


def _entry(name: str) -> zipfile.ZipInfo:
    about = zipfile.ZipInfo(name, time.localtime()[:6])
    about.compress_type, about.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
    return about


def _written_into(
    archive: zipfile.ZipFile,
    outlet: _Outlet,
    folder: str,
    one: Format,
    owner: User,
    key: UUID,
    number: int,
    language: str,
) -> Iterator[bytes]:
    """Writes one conversation in one format, into the folder of the format's name.

    Between two pieces it holds no connection and no language.
    """
    with lent_connection(), override(language):
        found = _mine(owner, key).select_related("model", "folder").first()
    if found is None:
        return
    file = one.write(found, owner)
    with archive.open(_entry(f"{folder}/{number:05} {file.name}"), "w") as entry:
        while piece := next_pieces(file.pieces, language):
            entry.write(piece.encode())
            if outlet.size >= export.PIECE_CHARS:
                yield outlet.taken()


def _mine(owner: User, key: UUID) -> QuerySet[Conversation]:
    return Conversation.objects.listed_for(owner).filter(pk=key)


def _files_of(owner: User, key: UUID) -> list[Carried]:
    """Returns the files with stored bytes, of messages that are not hidden, without images that staff hid."""
    with lent_connection():
        open_to = Message.objects.filter(conversation__in=_mine(owner, key), hidden_at=None)
        mine = Carried.objects.filter(owner=owner, is_hidden=False)
        found = mine.filter(attachments__message__in=open_to).exclude(stored="")
        return list(found.only("name", "sha256", "stored").distinct())


def _bytes_into(archive: zipfile.ZipFile, outlet: _Outlet, file: Carried) -> Iterator[bytes]:
    """Writes the bytes unchanged, named by their digest: an import finds them by it (upload.py)."""
    try:
        content = file_storage.storage().open(file.stored, "rb")
    except FileNotFoundError:
        return  # deleted meanwhile
    entry = _entry(f"files/{file.sha256}/{safe_file_name(file.name)}")
    with content, archive.open(entry, "w") as packed:
        while piece := content.read(PIECE_BYTES):
            packed.write(piece)
            if outlet.size >= export.PIECE_CHARS:
                yield outlet.taken()
