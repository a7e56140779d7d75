"""Stores an uploaded file within the space of its owner, and asks a worker to read it."""

from __future__ import annotations

import hashlib
from typing import IO

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.core.entry_points import check_text
from chat.core.errors import BadInput
from chat.core.sizes import file_too_large, mb
from chat.core.storage import check_room
from chat.files import read_jobs
from chat.files.file_storage import place_of, remove_bytes, storage
from chat.files.kinds import HEAD, kind_of
from chat.files.models import File, Kind
from chat.files.names import clean_name
from chat.model_cards import images


def store(*, owner: User, content: IO[bytes], name: str, size: int) -> File:
    """Stores a file and asks a worker to read it. Raises BadInput; then nothing is stored."""
    if size > settings.FILE_BYTES:
        raise BadInput(file_too_large(settings.FILE_BYTES))
    name = clean_name(name)
    check_text("file_name", name)  # its text is checked when it is sent
    content.seek(0)
    kind = kind_of(content.read(HEAD))
    if kind == Kind.IMAGE:
        images.check_somebody_sees(owner)
    _check_room(owner, size)  # before the bytes are copied, and again below, under the lock
    check_room("files", size)
    check_room()
    file = File(owner=owner, name=name, kind=kind, size=size, sha256=_digest(content))
    content.seek(0)
    file.stored = place_of(file)
    try:
        file.stored = storage().save(file.stored, content)
        with transaction.atomic():
            # So that two uploads cannot both take the last space.
            User.objects.select_for_update().get(pk=owner.pk)
            _check_room(owner, size)
            file.save(force_insert=True)
            transaction.on_commit(lambda: read_jobs.ask_to_read(file.pk), robust=True)
    except BaseException:
        remove_bytes(file.stored)  # also what was written before the disk was full
        raise
    file.refresh_from_db(fields=["created_at"])
    return file


def bytes_of(owner: User) -> int:
    return File.objects.filter(owner=owner).aggregate(sum=Sum("size"))["sum"] or 0


def _check_room(owner: User, size: int) -> None:
    used = bytes_of(owner)
    if used + size > settings.FILES_BYTES:
        raise BadInput(
            _(
                "Your files take %(used)d of %(limit)d MB, so this one does not fit. "
                "Delete conversations with files to make room."
            )
            % {"used": mb(used), "limit": mb(settings.FILES_BYTES)}
        )


def _digest(content: IO[bytes]) -> str:
    content.seek(0)
    return hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
