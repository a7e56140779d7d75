"""Images as they are after they were read: re-encoded, in the store, with a row."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.conf import settings
from django.core.files.base import ContentFile

from chat.accounts.models import User
from chat.files import file_storage
from chat.files.models import File, Kind
from tests.chat.files import making_images as making

BYTES = making.written(making.picture(), "PNG")


def image(owner: User, name: str = "cat.png", data: bytes = BYTES) -> File:
    file = File(owner=owner, name=name, kind=Kind.IMAGE, size=len(data), state="ready", tokens=6)
    file.report = {"width": 64, "height": 48, "type": "png"}
    file.sha256 = hashlib.sha256(data).hexdigest()
    file.stored = file_storage.storage().save(f"aa/{file.pk.hex}", ContentFile(data))
    file.save()
    return file


def is_on_the_disk(data: bytes) -> bool:
    """Returns whether any file of the data directory has these bytes in it."""
    every = (each for each in Path(settings.DATA_DIR).rglob("*") if each.is_file())
    return any(data in each.read_bytes() for each in every)
