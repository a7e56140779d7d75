"""Reports messages of a person's own conversations. Shared pages are reported through chat.sharing."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import JsonResponse
from django.utils.translation import gettext as _

from chat.conversations.access import message_for
from chat.core import throttling
from chat.core.api import Answer, ApiRequest, json_view
from chat.core.errors import BadInput, NotFound
from chat.moderation import reporting

REPORTS_AN_HOUR = 30


@json_view("POST")
def reports(request: ApiRequest) -> Answer:
    message = message_for(request.user, _uuid(request.data.get("message_id")))
    throttling.throttle("report", str(request.user.pk), REPORTS_AN_HOUR, 3600)
    report = reporting.report_message(
        reporter=request.user,
        message=message,
        reason=_text(request.data, "reason"),
        note=_text(request.data, "note"),
    )
    return JsonResponse({"report": {"id": str(report.pk), "status": report.status}}, status=201)


def _uuid(value: Any) -> UUID:
    """Parses an id; an invalid one names nothing, like an id that does not exist."""
    try:
        return UUID(value)
    except (TypeError, ValueError, AttributeError):
        raise NotFound from None


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name, "")
    if not isinstance(value, str):
        raise BadInput(_("Reasons and notes are texts."))
    return value
