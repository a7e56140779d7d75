"""Our own format (docs/transfer.md): one JSON object a conversation, with its whole tree."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from chat.conversations.models import Conversation, Message, MessageStatus, Role
from chat.conversations.services import message_json
from chat.core.text import is_blank
from chat.files.models import File
from chat.files.services import A_MESSAGE as FILES_A_MESSAGE
from chat.transfer.drafts import (
    MESSAGE_CHARS,
    Draft,
    Node,
    Unreadable,
    dict_of,
    finished,
    list_of,
    storable,
    text_of,
    time_of,
)

NAME, VERSION = "grokweb.conversation", 1
_ENDED = {MessageStatus.COMPLETE, MessageStatus.STOPPED, MessageStatus.FAILED, MessageStatus.REFUSED}


def written(
    conversation: Conversation,
    messages: list[Message],
    leaf: Message | None,
    files: dict[UUID, list[File]],
    manner: dict[str, Any],
) -> dict[str, Any]:
    """The counterpart of `GrokWeb.read`: a field added here is read there."""
    return {
        "format": NAME,
        "version": VERSION,
        "id": str(conversation.pk),
        "title": conversation.title,
        "ai_generated_roles": [Role.ASSISTANT.value],
        "notice": _("The answers (role “assistant”) come from an AI, not from a person."),
        "model": {"slug": conversation.model_id, "name": conversation.model.name},
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
        "leaf": str(leaf.pk) if leaf else None,
        "archived": conversation.archived,
        **manner,
        "messages": [written_message(message, files.get(message.pk, [])) for message in messages],
    }


def written_message(message: Message, files: list[File]) -> dict[str, Any]:
    message.siblings = []  # the parents tell; asking for each would be a query each
    told = message_json(message)
    generation = getattr(message, "generation", None)
    names = ("id", "parent", "role", "text", "status", "created_at", "hidden", "origin")
    kept = {name: told[name] for name in names if name in told}
    told = {**kept, "model": generation.model if generation else None}
    if files and not message.hidden_at:
        told["files"] = [
            {"name": each.name, "size": each.size, "kind": each.kind, "text": each.text} for each in files
        ]
    return told


class GrokWeb:
    def fits(self, record: dict[str, object]) -> bool:
        return record.get("format") == NAME

    def read(self, record: dict[str, object]) -> Draft:
        version = record.get("version")
        if type(version) is not int or not 1 <= version <= VERSION:
            raise Unreadable(_("It was written by a newer version of this service."))
        draft = Draft(
            "GrokWeb",
            title=text_of(record.get("title")),
            model=text_of(dict_of(record.get("model")).get("slug")),
            created_at=time_of(record.get("created_at")),
            updated_at=time_of(record.get("updated_at")),
            leaf=text_of(record.get("leaf")) or None,
            archived=record.get("archived") is True,
            persona=record.get("persona"),
            settings=record.get("settings"),
        )
        for each in list_of(record.get("messages")):
            self._add(draft, dict_of(each))
        return finished(draft)

    def _add(self, draft: Draft, told: dict[str, object]) -> None:
        key, role = told.get("id"), told.get("role")
        if not isinstance(key, str) or not key:
            draft.leave_out("odd")
            return
        node = Node(key, text_of(told.get("parent")) or None, at=time_of(told.get("created_at")))
        draft.nodes.append(node)
        if told.get("hidden"):
            draft.leave_out("hidden")
        elif role == Role.SYSTEM:
            draft.leave_out("system")
        elif role not in (Role.USER, Role.ASSISTANT) or not isinstance(told.get("text"), str):
            draft.leave_out("odd")
        else:
            text = text_of(told["text"])
            node.role, node.text = str(role), "" if is_blank(text) else text
            node.status = _status(told.get("status"))
            node.model = text_of(dict_of(told.get("origin")).get("model")) or text_of(told.get("model"))
            _add_files(draft, node, list_of(told.get("files")))


def _add_files(draft: Draft, node: Node, files: list[object]) -> None:
    """Their names and texts; the bytes they came from are not in an export."""
    for each in files:
        name, text = text_of(dict_of(each).get("name")), text_of(dict_of(each).get("text"))
        fits = len(node.files) < FILES_A_MESSAGE and 0 < len(text) <= MESSAGE_CHARS
        if node.role == Role.USER and name and fits:
            node.files.append((name, storable(text)))
        else:
            draft.leave_out("attachment")


def _status(told: object) -> str:
    """A reply that was still being written stops where it was."""
    if told == MessageStatus.LIVE:
        return MessageStatus.STOPPED.value
    return (
        MessageStatus(told).value
        if isinstance(told, str) and told in _ENDED
        else MessageStatus.COMPLETE.value
    )
