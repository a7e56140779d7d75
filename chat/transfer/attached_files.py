"""Exports and imports the files attached to messages: their texts, and their bytes from the zip.

An imported file counts as an upload: with its limits for one file and for all files of a person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from uuid import UUID

from django.conf import settings
from django.core.files import File as Wrapped
from django.db import transaction

from chat.accounts.models import User
from chat.core import storage
from chat.core.errors import ChatError
from chat.files import file_storage, imported_files, read_jobs, uploading
from chat.files.kinds import HEAD, kind_of
from chat.files.models import Attachment, File, Kind, State
from chat.files.reports import validated_report
from chat.transfer.imported_conversation import ImportedConversation, ImportedFile
from chat.transfer.upload import Package

SPOOL = 1 << 20  # bytes of one file in memory; larger ones go to the disk


class ExportedFiles:
    """Describes the files of one export. Where several messages have one, the first has its text."""

    def __init__(self) -> None:
        self._seen: set[UUID] = set()

    def files(self, carried: Sequence[File]) -> list[dict[str, Any]]:
        fresh = [file.pk for file in carried if file.pk not in self._seen]
        self._seen.update(fresh)
        texts = dict(File.objects.filter(pk__in=fresh).values_list("pk", "text")) if fresh else {}
        return [_described(file) | ({"text": texts[file.pk]} if file.pk in texts else {}) for file in carried]


def _described(file: File) -> dict[str, Any]:
    """Returns the description of a file in an export; `sha256` only if the archive has its bytes under that
    digest: those of an image that staff hid stay here.
    """
    fields = {"id": str(file.pk), "name": file.name, "size": file.size, "kind": file.kind}
    fields |= {"report": file.report} if file.report else {}
    return {**fields, "sha256": file.sha256} if file.stored and not file.is_hidden else fields


@dataclass(slots=True)
class Carrier:
    """Stores the files of one conversation. `stored` are names of bytes that go again if it fails."""

    owner: User
    package: Package
    stored: list[str] = field(default_factory=list)
    _made: dict[str, File] = field(default_factory=dict)  # by their keys in the file

    def copy(self, draft: ImportedConversation) -> None:
        """Brings the bytes over. Not in the transaction: SQLite's writers share one lock."""
        by_key = {each.key: each for node in draft.nodes for each in node.files}
        room = settings.FILES_BYTES - uploading.bytes_of(self.owner) if by_key else 0
        for key, each in by_key.items():
            if file := self._copied(draft, each, room):
                self._made[key] = file
                room -= file.size

    def store(self, draft: ImportedConversation, keys: Mapping[str, UUID]) -> None:
        """Stores the rows of files in the transaction of the conversation."""
        if not self._made:
            return
        self._fit_again(draft)
        File.objects.bulk_create(self._made.values(), batch_size=20)
        attached: dict[tuple[UUID, UUID], Attachment] = {}
        for node in draft.nodes:
            for position, imported in enumerate(node.files):
                if file := self._made.get(imported.key):
                    attachment = Attachment(message_id=keys[node.key], file=file, position=position)
                    attached[keys[node.key], file.pk] = attachment
        Attachment.objects.bulk_create(attached.values(), batch_size=500)
        for file in self._made.values():
            if file.state == State.READING:
                transaction.on_commit(partial(read_jobs.ask_to_read, file.pk), robust=True)

    def _fit_again(self, draft: ImportedConversation) -> None:
        """Drops files that no longer fit: an upload may have used the space meanwhile."""
        User.objects.select_for_update().get(
            pk=self.owner.pk
        )  # so that two imports cannot both take the last space
        over = uploading.bytes_of(self.owner) + sum(file.size for file in self._made.values())
        while self._made and over > settings.FILES_BYTES:
            _key, file = self._made.popitem()
            over -= file.size
            if file.stored:
                file_storage.remove_bytes(file.stored)
            draft.leave_out("no_room")

    def undo(self) -> None:
        for name in self.stored:
            file_storage.remove_bytes(name)

    def _copied(self, draft: ImportedConversation, imported: ImportedFile, room: int) -> File | None:
        """Returns the file with its bytes if the zip has them, else with its text alone; of an image, then,
        only its name.
        """
        if imported.is_image:
            file = imported_files.absent_image(owner=self.owner, name=imported.name)
        else:
            file = imported_files.of_text(owner=self.owner, name=imported.name, text=imported.text)
            file.report = validated_report(imported.report)
        size = self.package.size_of(imported.sha256)
        if size is not None and size > settings.FILE_BYTES:
            draft.leave_out("too_large")
            return None
        if (file.size if size is None else size) > room:
            draft.leave_out("no_room")
            return None
        if imported.sha256 and self._took_bytes(file, imported.sha256):
            return file
        if imported.is_image:
            draft.leave_out("no_image")
        elif imported.sha256:
            draft.leave_out("no_room" if file.size > room else "text_only")
        return None if file.size > room else file

    def _took_bytes(self, file: File, sha256: str) -> bool:
        """Stores the bytes if they match the export's digest and are of a supported kind; returns whether it
        did.
        """
        with SpooledTemporaryFile(SPOOL) as copy:
            size = self.package.copy_file(sha256, copy)
            if size is None or not self._are_sound(file, copy, sha256):
                self.package.carried.pop(
                    sha256, None
                )  # so that they are read once, not for every message that names them
                return False
            self._keep_bytes(file, copy, size, sha256)
        return True

    def _are_sound(self, file: File, copy: IO[bytes], sha256: str) -> bool:
        copy.seek(0)
        if hashlib.file_digest(copy, "sha256").hexdigest() != sha256:  # type: ignore[arg-type]
            return False
        copy.seek(0)
        try:
            kind = kind_of(copy.read(HEAD))
        except ChatError:
            return False
        if file.kind == Kind.IMAGE and kind != Kind.IMAGE:
            return False  # the rules have read no text of it
        file.kind = kind
        return True

    def _keep_bytes(self, file: File, copy: IO[bytes], size: int, sha256: str) -> None:
        storage.check_room("files", size)
        file.size, file.sha256 = size, sha256
        name = file_storage.place_of(file)
        self.stored.append(name)
        copy.seek(0)
        file.stored = self.stored[-1] = file_storage.storage().save(name, Wrapped(copy))
        if file.kind == Kind.IMAGE:  # nobody sees bytes of an image that came in: they are encoded anew first
            file.state, file.report = State.READING, {}
