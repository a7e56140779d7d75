"""How a conversation is answered: parse, go through the doors, call one verb, answer."""

from __future__ import annotations

from uuid import UUID

from chat.conversations.access import conversation_for
from chat.core.api import Answer, ApiRequest, json_view
from chat.voice import services


@json_view("GET")
def prompts(request: ApiRequest) -> Answer:
    return {"prompts": services.prompts_json(request.user)}


@json_view("PATCH")
def manner(request: ApiRequest, pk: UUID) -> Answer:
    conversation = conversation_for(request.user, pk)
    services.choose(conversation, **services.choices_of(request.user, request.data))
    return services.manner_json(conversation)
