"""Deletes a file after the last message that had it, and its bytes after its row; each after the commit."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete

from chat.files import deleting, file_storage
from chat.files.models import Attachment, File


def connect() -> None:
    post_delete.connect(after_attachment, sender=Attachment)
    post_delete.connect(after_file, sender=File)


def after_attachment(instance: Attachment, **_: Any) -> None:
    transaction.on_commit(lambda: deleting.remove_unattached(instance.file_id), robust=True)


def after_file(instance: File, **_: Any) -> None:
    if instance.stored:
        transaction.on_commit(lambda: file_storage.remove_bytes(instance.stored), robust=True)
