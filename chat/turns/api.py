"""JSON endpoints of replies."""

from __future__ import annotations

from uuid import UUID

from chat.conversations.access import message_for
from chat.core.api import Answer, ApiRequest, json_view
from chat.turns.details import details_of
from chat.turns.model_status import models_json


@json_view("GET")
def models(request: ApiRequest) -> Answer:
    return {"models": models_json(request.user)}


@json_view("GET")
def details(request: ApiRequest, pk: UUID) -> Answer:
    return {"details": details_of(message_for(request.user, pk))}
