"""/api/conversations/<id>/export/, /api/export/ and /api/import/."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import nullcontext
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from chat.conversations.access import conversation_for
from chat.core.api import ApiRequest, json_view
from chat.core.errors import BadInput
from chat.core.gate import costs
from chat.core.limits import take
from chat.transfer import export, services

EXPORTS_AN_HOUR = 240
WHOLE_EXPORTS_AN_HOUR = 12
IMPORTS_AN_HOUR = 30


@costs(10)
@json_view("GET")
def export_one(request: ApiRequest, pk: UUID) -> HttpResponseBase:
    found = conversation_for(request.user, pk)
    export.check_stays(found)
    make = export.FORMATS.get(request.GET.get("format", "json"))
    if make is None:
        raise BadInput(_("Conversations are exported as json or markdown."))
    take("export", str(request.user.pk), EXPORTS_AN_HOUR, 3600)
    file = make(found, request.user)
    response = HttpResponse(file.text, content_type=f"{file.kind}; charset=utf-8")
    return _as_attachment(response, file.name)


@costs(50)
@json_view("GET")
def export_all(request: ApiRequest) -> HttpResponseBase:
    take("export-all", str(request.user.pk), WHOLE_EXPORTS_AN_HOUR, 3600)
    pieces = export.everything(request.user, get_language() or settings.LANGUAGE_CODE)
    # A plain iterator would be collected whole before the first byte is sent.
    sent = _one_by_one(pieces, request.scope) if isinstance(request, ASGIRequest) else pieces
    response = StreamingHttpResponse(sent, content_type="application/zip")
    return _as_attachment(response, f"GrokWeb {timezone.now():%Y-%m-%d}.zip")


async def _one_by_one(pieces: Iterator[bytes], scope: Mapping[str, Any]) -> AsyncIterator[bytes]:
    """Each piece takes a place among the threads anew (chat/core/gate.py): none while its reader is slow."""
    following = sync_to_async(lambda: next(pieces, None))
    place = scope.get("place") or nullcontext()
    while True:
        async with place:
            piece = await following()
        if piece is None:
            return
        yield piece


def _as_attachment(response: HttpResponseBase, name: str) -> HttpResponseBase:
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return response


@costs(50)
@json_view("POST", upload=True)
def import_file(request: ApiRequest) -> dict[str, Any]:
    take("import", str(request.user.pk), IMPORTS_AN_HOUR, 3600)
    upload = request.FILES.get("file")
    if upload is None or upload.file is None or len(request.FILES) > 1:
        raise BadInput(_("Please choose one file."))
    if (upload.size or 0) > settings.IMPORT_BYTES:
        raise BadInput(too_large())
    report = services.import_file(owner=request.user, file=upload.file, name=upload.name or "")
    return {"report": report.as_json()}


def too_large() -> str:
    return _("A file may have at most %(limit)d MB.") % {"limit": settings.IMPORT_BYTES >> 20}
