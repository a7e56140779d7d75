"""Recognises an image that was uploaded or imported again, by the digests of its bytes.

A person may have the bytes as they came in and those that were encoded from them (a download, an export).
Both count; pixels that were changed are another image.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from django.db.models import Q

from chat.files.models import File, Kind


def digests_of(files: Iterable[File]) -> set[str]:
    """Returns what recognises these images; nothing for other files and for images without bytes."""
    images = [file for file in files if file.kind == Kind.IMAGE and file.stored]
    return {digest for file in images for digest in (file.sha256, file.uploaded_sha256) if digest}


def with_digests(digests: Collection[str]) -> Q:
    """Returns the condition for files that are images with one of these digests."""
    same = Q(sha256__in=digests) | Q(uploaded_sha256__in=digests)
    return same & Q(kind=Kind.IMAGE) & ~Q(stored="")
