"""Our own format (docs/transfer.md): one JSON object a conversation, with its whole tree."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from chat.conversations.models import Conversation, Message, MessageStatus, Role
from chat.conversations.services import message_json
from chat.transfer.drafts import Draft, Node, Unreadable, dict_of, finished, list_of, text_of, time_of

NAME, VERSION = "grokweb.conversation", 1
_ENDED = {MessageStatus.COMPLETE, MessageStatus.STOPPED, MessageStatus.FAILED, MessageStatus.REFUSED}


def written(conversation: Conversation, messages: list[Message], leaf: Message | None) -> dict[str, Any]:
    """The counterpart of `GrokWeb.read`: a field added here is read there."""
    return {
        "format": NAME,
        "version": VERSION,
        "id": str(conversation.pk),
        "title": conversation.title,
        "model": {"slug": conversation.model_id, "name": conversation.model.name},
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
        "leaf": str(leaf.pk) if leaf else None,
        "archived": conversation.archived,
        "messages": [_message(message) for message in messages],
    }


def _message(message: Message) -> dict[str, Any]:
    message.siblings = []  # the parents tell; asking for each would be a query each
    told = message_json(message)
    generation = getattr(message, "generation", None)
    kept = {name: told[name] for name in ("id", "parent", "role", "text", "status", "created_at", "hidden")}
    return {**kept, "model": generation.model if generation else None}


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
            node.role, node.text, node.status = str(role), text_of(told["text"]), _status(told.get("status"))


def _status(told: object) -> str:
    """A reply that was still being written stops where it was."""
    if told == MessageStatus.LIVE:
        return MessageStatus.STOPPED.value
    return (
        MessageStatus(told).value
        if isinstance(told, str) and told in _ENDED
        else MessageStatus.COMPLETE.value
    )
