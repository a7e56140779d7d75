"""Serves /api/conversations/, /api/messages/, /api/folders/: parses, finds the object, calls a service."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from chat.conversations import folders as shelves
from chat.conversations import sidebar
from chat.conversations.access import conversation_for, folder_for, message_for
from chat.conversations.branches import delete_branch, open_branch
from chat.conversations.bulk import ACTIONS, BULK, move_many
from chat.conversations.lifecycle import (
    choose_model,
    create_conversation,
    delete_conversation,
    make_permanent,
)
from chat.conversations.models import Conversation
from chat.conversations.serializers import conversation_details, conversation_json
from chat.conversations.titles import rename_conversation
from chat.conversations.transcripts import transcript
from chat.core.api import ApiRequest, json_view
from chat.core.errors import BadInput, NotFound
from chat.core.load_shedding import request_cost
from chat.core.throttling import throttle
from chat.model_cards.access import conversation_model_json, model_for
from chat.model_cards.selection import default_model


@json_view("GET", "POST")
def conversations(request: ApiRequest) -> dict[str, Any] | HttpResponse:
    if request.method == "GET":
        return _listed(request)
    title = _text(request.data, "title", missing="")
    throttle("new-conversation", str(request.user.pk), 120, 3600)
    made = create_conversation(owner=request.user, model=default_model(request.user), title=title)
    return JsonResponse({"conversation": conversation_json(made)}, status=201)


def _listed(request: ApiRequest) -> dict[str, Any]:
    cursor = request.GET.get("cursor", "")
    if "folder" in request.GET:
        return sidebar.in_folder(request.user, folder_for(request.user, request.GET["folder"]), cursor)
    if request.GET.get("archived") == "1":
        return sidebar.archive(request.user, cursor)
    return sidebar.recent(request.user, cursor) if cursor else sidebar.first_page(request.user)


@json_view("GET", "PATCH", "DELETE")
def conversation(request: ApiRequest, pk: UUID) -> dict[str, Any] | HttpResponse:
    found = conversation_for(request.user, pk)
    if request.method == "DELETE":
        delete_conversation(conversation=found)
        return HttpResponse(status=204)
    if request.method == "PATCH":
        _change(request, found)
        found = conversation_for(request.user, pk)
    return {
        "conversation": conversation_json(found),
        "model": conversation_model_json(found.model, request.user),
        **conversation_details(found),
    }


def _change(request: ApiRequest, found: Conversation) -> None:
    changes, is_kept = _changes(request), _is_kept(request, found)
    if changes and found.temporary and not is_kept:
        raise BadInput(_("A temporary chat cannot be pinned, archived or moved. Keep it first."))
    if is_kept:
        make_permanent(conversation=found)
    if "model" in request.data:
        _choose_model(request, found)
    if "title" in request.data or not (changes or {"model", "temporary"} & set(request.data)):
        rename_conversation(conversation=found, title=_text(request.data, "title"))
    if changes:
        move_many(request.user, [found.pk], **changes)


def _choose_model(request: ApiRequest, found: Conversation) -> None:
    """Sets the model, unless the conversation has it already: that one may be hidden by now."""
    if request.data["model"] != found.model_id:
        model = model_for(request.data["model"], request.user)
        choose_model(conversation=found, model=model)


@request_cost(10)
@json_view("POST")
def bulk(request: ApiRequest) -> dict[str, Any]:
    """Changes several conversations. Those of others, unknown and deleted ones are left out; the answer
    has the changed ones."""
    ids, action = _ids(request.data), request.data.get("action")
    if action == "move":
        changed = move_many(request.user, ids, folder=_folder(request))
    elif isinstance(action, str) and action in ACTIONS:
        changed = ACTIONS[action](request.user, ids)
    else:
        raise BadInput(_("There is no such action."))
    return {"conversations": [conversation_json(each) for each in changed]}


@json_view("GET")
def messages(request: ApiRequest, pk: UUID) -> dict[str, Any]:
    found = conversation_for(request.user, pk)
    for way in ("before", "after", "around"):
        if way in request.GET:
            message = message_for(request.user, request.GET[way])
            if message.conversation_id != found.pk:
                raise NotFound
            return transcript(request.user, found, **{way: message})
    return transcript(request.user, found)


@json_view("PUT")
def leaf(request: ApiRequest, pk: UUID) -> dict[str, Any]:
    """Opens the branch through a message for this person. Answers with its newest messages."""
    found = conversation_for(request.user, pk)
    message = message_for(request.user, str(request.data.get("message", "")))
    if message.conversation_id != found.pk:
        raise NotFound
    open_branch(request.user, message)
    return transcript(request.user, found)


@json_view("DELETE")
def message(request: ApiRequest, pk: UUID) -> HttpResponse:
    delete_branch(message_for(request.user, pk))
    return HttpResponse(status=204)


@json_view("GET", "POST")
def folders(request: ApiRequest) -> dict[str, Any] | HttpResponse:
    if request.method == "GET":
        return {"folders": shelves.folders_json(request.user)}
    made = shelves.new_folder(owner=request.user, name=_text(request.data, "name"))
    return JsonResponse({"folder": shelves.folder_json(made)}, status=201)


@json_view("PATCH", "DELETE")
def folder(request: ApiRequest, pk: UUID) -> dict[str, Any] | HttpResponse:
    found = folder_for(request.user, pk)
    if request.method == "DELETE":
        shelves.delete_folder(folder=found)
        return HttpResponse(status=204)
    return {
        "folder": shelves.folder_json(shelves.rename_folder(folder=found, name=_text(request.data, "name")))
    }


# --- Parsing ----------------------------------------------------------------------------------------------


def _text(data: dict[str, Any], field: str, missing: str | None = None) -> str:
    text = data.get(field, missing)
    if not isinstance(text, str):
        raise BadInput(_("The title must be a text.") if field == "title" else _("The name must be a text."))
    return text


def _changes(request: ApiRequest) -> dict[str, Any]:
    changes = {field: request.data[field] for field in ("pinned", "archived") if field in request.data}
    if not all(isinstance(value, bool) for value in changes.values()):
        raise BadInput(_("Pinned and archived are true or false."))
    return changes | ({"folder": _folder(request)} if "folder" in request.data else {})


def _is_kept(request: ApiRequest, found: Conversation) -> bool:
    """Returns whether a temporary conversation is to become an ordinary one."""
    requested = request.data.get("temporary", found.temporary)
    if not isinstance(requested, bool) or (requested and not found.temporary):
        raise BadInput(_("Only a new chat can be made temporary."))
    return "temporary" in request.data and not requested


def _folder(request: ApiRequest) -> Any:
    requested = request.data.get("folder")
    return None if requested is None else folder_for(request.user, requested)


def _ids(data: dict[str, Any]) -> list[UUID]:
    ids = data.get("ids")
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise BadInput(_("The ids must be a list of texts."))
    if len(ids) > BULK:
        raise BadInput(_("At most %(limit)d conversations at once.") % {"limit": BULK})
    known = []
    for each in ids:
        try:
            known.append(UUID(each))
        except ValueError:
            continue  # as an id that nothing has
    return list(dict.fromkeys(known))
