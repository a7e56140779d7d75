"""Deletes files that no message has, and bytes without a row."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from chat.core.errors import BadInput
from chat.files.file_storage import remove_bytes, storage
from chat.files.models import File

UNSENT_FOR = timedelta(days=1)


def take_back(file: File) -> None:
    """Deletes a file that is not sent yet, at its owner's request."""
    if not File.objects.unsent().filter(pk=file.pk).delete()[0]:
        raise BadInput(_("This file was sent. It goes with its message."))


def remove_unattached(pk: UUID) -> None:
    """Deletes a file after the last message that had it."""
    File.objects.unsent().filter(pk=pk).delete()


def delete_unsent() -> None:
    """Deletes files that were never sent."""
    File.objects.unsent().filter(created_at__lt=timezone.now() - UNSENT_FOR).delete()


def sweep_storage() -> None:
    """Deletes bytes without a row. An upload writes them a moment before it; younger ones are left alone."""
    stored_files = storage()
    with suppress(FileNotFoundError):
        for folder in stored_files.listdir("")[0]:
            names = {f"{folder}/{name}" for name in stored_files.listdir(folder)[1]}
            names -= set(File.objects.filter(stored__in=names).values_list("stored", flat=True))
            for name in names:
                with suppress(FileNotFoundError):
                    if stored_files.get_modified_time(name) < timezone.now() - timedelta(hours=1):
                        remove_bytes(name)
