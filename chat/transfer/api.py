"""/api/conversations/<id>/export/, /api/export/ and /api/import/."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from chat.conversations.access import conversation_for
from chat.core.api import ApiRequest, json_view
from chat.core.errors import BadInput
from chat.core.gate import costs
from chat.core.limits import take
from chat.transfer import export, services
from chat.transfer.sending import send

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
    pieces = export.in_pieces(file, _language())
    return send(request, pieces, name=file.name, kind=f"{file.kind}; charset=utf-8")


@costs(50)
@json_view("GET")
def export_all(request: ApiRequest) -> HttpResponseBase:
    take("export-all", str(request.user.pk), WHOLE_EXPORTS_AN_HOUR, 3600)
    pieces = export.everything(request.user, _language())
    return send(request, pieces, name=f"GrokWeb {timezone.now():%Y-%m-%d}.zip", kind="application/zip")


def _language() -> str:
    return get_language() or settings.LANGUAGE_CODE


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
