"""Serves /api/conversations/<id>/export/, /api/export/ and /api/import/."""

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
from chat.core.load_shedding import request_cost
from chat.core.sizes import file_too_large
from chat.core.throttling import throttle
from chat.transfer import export, services
from chat.transfer.account_archive import account_archive
from chat.transfer.formats import writers
from chat.transfer.streaming import send

EXPORTS_AN_HOUR = 240
WHOLE_EXPORTS_AN_HOUR = 12
IMPORTS_AN_HOUR = 30


@request_cost(10)
@json_view("GET")
def export_one(request: ApiRequest, pk: UUID) -> HttpResponseBase:
    found = conversation_for(request.user, pk)
    export.check_stays(found)
    known = writers()
    one = known.get(request.GET.get("format", "json"))
    if one is None:
        raise BadInput(_("Conversations are exported as %(formats)s.") % {"formats": ", ".join(known)})
    thoughts = request.GET.get("thoughts") == "1"
    if thoughts and not one.writes_thoughts:
        raise BadInput(_("This format has no place for thoughts."))
    throttle("export", str(request.user.pk), EXPORTS_AN_HOUR, 3600)
    file = one.write(found, request.user, **({"thoughts": True} if thoughts else {}))
    pieces = export.in_pieces(file, _language())
    return send(request, pieces, name=file.name, kind=f"{file.kind}; charset=utf-8")


@request_cost(50)
@json_view("GET")
def export_all(request: ApiRequest) -> HttpResponseBase:
    throttle("export-all", str(request.user.pk), WHOLE_EXPORTS_AN_HOUR, 3600)
    pieces = account_archive(request.user, _language())
    return send(request, pieces, name=f"GrokWeb {timezone.now():%Y-%m-%d}.zip", kind="application/zip")


def _language() -> str:
    return get_language() or settings.LANGUAGE_CODE


@request_cost(50)
@json_view("POST", upload=True)
def import_file(request: ApiRequest) -> dict[str, Any]:
    throttle("import", str(request.user.pk), IMPORTS_AN_HOUR, 3600)
    upload = request.FILES.get("file")
    if upload is None or upload.file is None or len(request.FILES) > 1:
        raise BadInput(_("Please choose one file."))
    if (upload.size or 0) > settings.IMPORT_ZIP_BYTES:
        raise BadInput(file_too_large(settings.IMPORT_ZIP_BYTES))
    report = services.import_file(owner=request.user, file=upload.file, name=upload.name or "")
    return {"report": report.as_json()}
