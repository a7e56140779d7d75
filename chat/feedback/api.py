"""Returns and saves, as JSON, a user's feedback on an answer in their own conversations."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from chat.conversations.access import message_for
from chat.core import throttling
from chat.core.api import Answer, ApiRequest, json_view
from chat.core.errors import BadInput
from chat.feedback import services

FEEDBACK_AN_HOUR = 200


@json_view("GET", "POST")
def feedback(request: ApiRequest, pk: UUID) -> Answer:
    message = message_for(request.user, pk)
    if request.method == "POST":
        throttling.throttle("feedback", str(request.user.pk), FEEDBACK_AN_HOUR, 3600)
        services.save_feedback(
            user=request.user,
            message=message,
            value=_value(request.data),
            reason=_text(request.data, "reason"),
            note=_text(request.data, "note"),
        )
    return {"feedback": services.get_feedback(user=request.user, message=message)}


def _value(data: dict[str, Any]) -> int:
    value = data.get("value")
    if type(value) is not int:  # true is an int, too, and no rating
        raise BadInput(_("Feedback is 1 (good), -1 (poor) or 0 (none)."))
    return value


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name, "")
    if not isinstance(value, str):
        raise BadInput(_("Reasons and notes are texts."))
    return value
