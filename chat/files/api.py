"""Serves /api/files/: upload, reading progress, text, image and original of a file, and deletion before it is
sent.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from chat.core.api import ApiRequest, json_view
from chat.core.errors import BadInput
from chat.core.load_shedding import request_cost
from chat.core.throttling import throttle
from chat.files import attaching, deleting, file_storage, read_jobs, responses, serializers, uploading
from chat.files.access import file_for
from chat.files.encodings import menu

UPLOADS_AN_HOUR = 240


@request_cost(10)
@json_view("POST", upload=True)
def files(request: ApiRequest) -> HttpResponse:
    throttle("upload", str(request.user.pk), UPLOADS_AN_HOUR, 3600)
    upload = request.FILES.get("file")
    if upload is None or upload.file is None or len(request.FILES) > 1:
        raise BadInput(_("Please choose one file."))
    file = uploading.store(
        owner=request.user, content=upload.file, name=upload.name or "", size=upload.size or 0
    )
    return JsonResponse({"file": serializers.file_json(file)}, status=201)


@json_view("GET", "DELETE")
def file(request: ApiRequest, pk: UUID) -> dict[str, Any] | HttpResponse:
    found = file_for(request.user, pk)
    if request.method == "DELETE":
        deleting.take_back(found)
        return HttpResponse(status=204)
    return {"file": serializers.file_json(found)}


@json_view("GET")
def text(request: ApiRequest, pk: UUID) -> dict[str, Any]:
    found = file_for(request.user, pk)
    return {
        "file": serializers.file_json(found),
        "text": found.text,
        "encoding": found.report.get("encoding", ""),
        "encodings": menu() if read_jobs.can_be_read_again(found) else [],
    }


@request_cost(10)
@json_view("POST")
def encoding(request: ApiRequest, pk: UUID) -> dict[str, Any]:
    found = file_for(request.user, pk)
    throttle("upload", str(request.user.pk), UPLOADS_AN_HOUR, 3600)  # as expensive as an upload
    read_jobs.read_again(found, str(request.data.get("encoding", "")))
    return {"file": serializers.file_json(found)}


@json_view("GET")
def original(request: ApiRequest, pk: UUID) -> HttpResponse:
    return responses.download(file_for(request.user, pk))


@json_view("GET")
def image(request: ApiRequest, pk: UUID) -> HttpResponse:
    found = file_for(request.user, pk)
    return responses.inline_image(found, file_storage.download_name(found))


def page_extra(request: HttpRequest) -> dict[str, Any]:
    return {"files": {"max_bytes": settings.FILE_BYTES, "max_count": attaching.A_MESSAGE}}
