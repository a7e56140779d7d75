"""Answers with the bytes of files, so that no browser runs anything in them, and lists images for pages."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.http import content_disposition_header

from chat.core.errors import NotFound
from chat.files import file_storage
from chat.files.models import File

# A browser that guesses another type still runs nothing in it here.
SANDBOX = "default-src 'none'; sandbox"
SIDE = 480  # pixels; the longest side of an image on a page without scripts


def download(file: File) -> HttpResponse:
    """Sends the original as a download, never inline: a file may be a page with scripts.

    Raises NotFound for an image that staff hid.
    """
    if file.is_hidden:
        raise NotFound
    response = _answer(file, "application/octet-stream")
    name = file_storage.download_name(file)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response


def inline_image(file: File, name: str | None = None) -> HttpResponse:
    """Sends an image for a page to show: the bytes that were encoded here, never those that came in.

    Raises NotFound for anything else, and for an image that staff hid. Only a reader who may know the file's
    name gets it.
    """
    if file.is_hidden:
        raise NotFound
    return image_for_staff_page(file, name)


def image_for_staff_page(file: File, name: str | None = None) -> HttpResponse:
    """Sends an image as `inline_image` does, hidden or not."""
    if not file_storage.has_pixels(file):
        raise NotFound
    response = _answer(file, f"image/{file.report['type']}")
    response["Content-Disposition"] = (content_disposition_header(False, name) if name else "") or "inline"
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _answer(file: File, content_type: str) -> HttpResponse:
    response = HttpResponse(file_storage.original(file), content_type=content_type)
    response["Content-Security-Policy"] = SANDBOX
    response["X-Content-Type-Options"] = "nosniff"
    return response


def on_page(file: File, address: str) -> dict[str, Any]:
    """Returns what templates/sharing/_images.html shows of an image; its place is reserved before it is
    loaded.
    """
    width, height = file.report["width"], file.report["height"]
    scale = min(1, SIDE / max(width, height))
    return {
        "address": address,
        "name": file.name,
        "width": max(1, round(scale * width)),
        "height": max(1, round(scale * height)),
    }
