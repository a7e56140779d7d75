"""JSON of saved prompts and of the persona and settings that a conversation has."""

from __future__ import annotations

from uuid import UUID

from chat.conversations.access import conversation_for
from chat.core.api import Answer, ApiRequest, json_view
from chat.personas import services


@json_view("GET")
def prompts(request: ApiRequest) -> Answer:
    return {"prompts": services.prompts_json(request.user)}


@json_view("PATCH")
def conversation_settings(request: ApiRequest, pk: UUID) -> Answer:
    conversation = conversation_for(request.user, pk)
    services.update_conversation_settings(
        conversation, **services.parse_conversation_settings(request.user, request.data)
    )
    return services.conversation_settings_json(conversation)
