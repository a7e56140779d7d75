"""Serves /api/files/: upload, reading progress, text, image and original of a file, and deletion before it is
sent.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _

from chat.core.api import ApiRequest, json_view
from chat.core.errors import BadInput, NotFound
from chat.core.load_shedding import request_cost
from chat.core.throttling import throttle
from chat.files import services
from chat.files.access import file_for
from chat.files.encodings import menu
from chat.files.models import File

UPLOADS_AN_HOUR = 240
# A browser that guesses another type still runs nothing in it here.
SANDBOX = "default-src 'none'; sandbox"


@request_cost(10)
@json_view("POST", upload=True)
def files(request: ApiRequest) -> HttpResponse:
    throttle("upload", str(request.user.pk), UPLOADS_AN_HOUR, 3600)
    upload = request.FILES.get("file")
    if upload is None or upload.file is None or len(request.FILES) > 1:
        raise BadInput(_("Please choose one file."))
    file = services.store(
        owner=request.user, content=upload.file, name=upload.name or "", size=upload.size or 0
    )
    return JsonResponse({"file": services.file_json(file)}, status=201)


@json_view("GET", "DELETE")
def file(request: ApiRequest, pk: UUID) -> dict[str, Any] | HttpResponse:
    found = file_for(request.user, pk)
    if request.method == "DELETE":
        services.take_back(found)
        return HttpResponse(status=204)
    return {"file": services.file_json(found)}


@json_view("GET")
def text(request: ApiRequest, pk: UUID) -> dict[str, Any]:
    found = file_for(request.user, pk)
    return {
        "file": services.file_json(found),
        "text": found.text,
        "encoding": found.report.get("encoding", ""),
        "encodings": menu() if services.can_be_read_again(found) else [],
    }


@request_cost(10)
@json_view("POST")
def encoding(request: ApiRequest, pk: UUID) -> dict[str, Any]:
    found = file_for(request.user, pk)
    throttle("upload", str(request.user.pk), UPLOADS_AN_HOUR, 3600)  # as expensive as an upload
    services.read_again(found, str(request.data.get("encoding", "")))
    return {"file": services.file_json(found)}


@json_view("GET")
def original(request: ApiRequest, pk: UUID) -> HttpResponse:
    """Sends the original as a download, never inline: a file may be a page with scripts."""
    found = file_for(request.user, pk)
    return _bytes(found, "application/octet-stream", as_attachment=True)


@json_view("GET")
def image(request: ApiRequest, pk: UUID) -> HttpResponse:
    """Sends an image for the page to show: the bytes that were encoded here, never those that came in."""
    found = file_for(request.user, pk)
    if not services.is_shown(found):
        raise NotFound
    response = _bytes(found, f"image/{found.report['type']}", as_attachment=False)
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _bytes(found: File, content_type: str, *, as_attachment: bool) -> HttpResponse:
    response = HttpResponse(services.original(found), content_type=content_type)
    name = services.download_name(found)
    response["Content-Disposition"] = content_disposition_header(as_attachment, name) or "attachment"
    response["Content-Security-Policy"] = SANDBOX
    response["X-Content-Type-Options"] = "nosniff"
    return response


def page_extra(request: HttpRequest) -> dict[str, Any]:
    return {"files": {"max_bytes": settings.FILE_BYTES, "max_count": services.A_MESSAGE}}
