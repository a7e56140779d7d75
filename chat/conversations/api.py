"""/api/conversations/: parse, go through the door, call one verb, answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from chat.conversations import services
from chat.conversations.access import conversation_for, message_for
from chat.core.api import ApiRequest, json_view
from chat.core.errors import BadInput, NotFound
from chat.core.limits import take


@json_view("GET", "POST")
def conversations(request: ApiRequest) -> dict[str, Any] | HttpResponse:
    if request.method == "GET":
        return services.sidebar(request.user, request.GET.get("cursor", ""))
    title = _title(request.data, missing="")
    take("new-conversation", str(request.user.pk), 120, 3600)
    made = services.new_conversation(owner=request.user, model=services.default_model(), title=title)
    return JsonResponse({"conversation": services.conversation_json(made)}, status=201)


@json_view("GET", "PATCH", "DELETE")
def conversation(request: ApiRequest, pk: UUID) -> dict[str, Any] | HttpResponse:
    found = conversation_for(request.user, pk)
    if request.method == "DELETE":
        services.delete(conversation=found)
        return HttpResponse(status=204)
    if request.method == "PATCH":
        services.rename(conversation=found, title=_title(request.data))
    answer = {"conversation": services.conversation_json(found)}
    for extra in services.CONVERSATION_EXTRAS:
        answer |= extra(found)
    return answer


@json_view("GET")
def messages(request: ApiRequest, pk: UUID) -> dict[str, Any]:
    found = conversation_for(request.user, pk)
    for way in ("before", "after", "around"):
        if way in request.GET:
            message = message_for(request.user, request.GET[way])
            if message.conversation_id != found.pk:
                raise NotFound
            return services.transcript(request.user, found, **{way: message})
    return services.transcript(request.user, found)


@json_view("PUT")
def leaf(request: ApiRequest, pk: UUID) -> dict[str, Any]:
    """Another branch for this person's page: the one through a message. Answers with its newest messages."""
    found = conversation_for(request.user, pk)
    message = message_for(request.user, str(request.data.get("message", "")))
    if message.conversation_id != found.pk:
        raise NotFound
    services.open_branch(request.user, message)
    return services.transcript(request.user, found)


@json_view("DELETE")
def message(request: ApiRequest, pk: UUID) -> HttpResponse:
    services.delete_branch(message_for(request.user, pk))
    return HttpResponse(status=204)


def _title(data: dict[str, Any], missing: str | None = None) -> str:
    title = data.get("title", missing)
    if not isinstance(title, str):
        raise BadInput(_("The title must be a text."))
    return title
