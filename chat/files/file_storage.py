"""Keeps the bytes of files in a private place, and returns them."""

from __future__ import annotations

import logging
from pathlib import PurePosixPath

from django.core.files.storage import Storage, storages

from chat.core.errors import NotFound
from chat.files.models import File, Kind, State

logger = logging.getLogger("grokweb.files")


def storage() -> Storage:
    """Returns the private storage of files; nothing in it has a public address."""
    return storages["files"]


def place_of(file: File) -> str:
    """Returns the name under which the bytes are stored."""
    return f"{file.pk.hex[:2]}/{file.pk.hex}"


def is_shown(file: File) -> bool:
    """Returns whether a file is an image that people and models get."""
    return has_pixels(file) and not file.is_hidden


def has_pixels(file: File) -> bool:
    """Returns whether a file is an image whose new bytes are there; of an imported one only the name is."""
    return bool(file.kind == Kind.IMAGE and file.state == State.READY and file.stored)


def is_absent_image(file: File) -> bool:
    """Returns whether an import brought only the name of an image."""
    return bool(file.kind == Kind.IMAGE and file.state == State.READY and not file.stored)


def download_name(file: File) -> str:
    """Returns a file's name, for an image with the ending of what it was encoded as."""
    if not is_shown(file):
        return file.name
    ending = {"jpeg": "jpg", "png": "png"}[file.report["type"]]
    return f"{PurePosixPath(file.name).stem}.{ending}"


def original(file: File) -> bytes:
    """Returns the bytes as they were uploaded; the text if only that is stored. Raises NotFound for an image
    without bytes.
    """
    if is_absent_image(file):
        raise NotFound
    if not file.stored:
        return file.text.encode()
    try:
        with storage().open(file.stored, "rb") as content:
            whole: bytes = content.read()
    except FileNotFoundError:
        raise NotFound from None
    return whole


def remove_bytes(stored: str) -> None:
    try:
        storage().delete(stored)
    except OSError as error:
        logger.warning("stored file %s waits for the sweep: %s", stored, error)
