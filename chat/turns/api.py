"""JSON endpoints of replies."""

from __future__ import annotations

from uuid import UUID

from django.http import JsonResponse

from chat.conversations.access import conversation_for, message_for
from chat.conversations.serializers import message_json
from chat.core.api import Answer, ApiRequest, json_view
from chat.core.load_shedding import request_cost
from chat.turns import pins, summary_requests
from chat.turns.context_usage import settled_context_usage
from chat.turns.details import details_of
from chat.turns.edited_answers import edit_answer
from chat.turns.message_updates import current_message_json
from chat.turns.model_status import models_json
from chat.turns.sent_prompt import sent_prompt
from chat.turns.settlement import settle_if_ended


@json_view("GET")
def models(request: ApiRequest) -> Answer:
    return {"models": models_json(request.user)}


@json_view("GET")
def details(request: ApiRequest, pk: UUID) -> Answer:
    message = message_for(request.user, pk)
    settle_if_ended(message.pk)  # a page learns of the end a moment before the row does
    return {"details": details_of(message)}


@request_cost(5)
@json_view("GET")
def prompt(request: ApiRequest, pk: UUID) -> Answer:
    return {"prompt": sent_prompt(message_for(request.user, pk))}


@json_view("POST", "PATCH", "DELETE")
def summary(request: ApiRequest, pk: UUID) -> Answer:
    """POST: use it again, or have one written. PATCH: edit. DELETE: undo, or stop its writing."""
    message = message_for(request.user, pk)
    if request.method == "POST":
        summary_requests.use(message, request.user)
    elif request.method == "PATCH":
        summary_requests.edit(message, request.user, request.data.get("text"))
    else:
        summary_requests.undo(message)
    return {"message": current_message_json(message)}


@json_view("PUT", "DELETE")
def pin(request: ApiRequest, pk: UUID) -> Answer:
    message = message_for(request.user, pk)
    if request.method == "PUT":
        pins.pin(message, request.user)
    else:
        pins.unpin(message)
    return {"message": current_message_json(message)}


@json_view("POST")
def edits(request: ApiRequest, pk: UUID) -> Answer:
    edited = edit_answer(user=request.user, message_id=pk, text=request.data.get("text"))
    return JsonResponse({"message": message_json(edited)}, status=201)


@json_view("GET")
def context(request: ApiRequest, pk: UUID) -> Answer:
    return settled_context_usage(conversation_for(request.user, pk))
