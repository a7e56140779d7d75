"""Serializes conversations and messages for pages and frames (docs/protocol.md)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q

from chat.conversations import hooks
from chat.conversations.models import Conversation, Message
from chat.conversations.origins import origin_of


def conversation_json(conversation: Conversation) -> dict[str, Any]:
    """Serializes a conversation as lists show it."""
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "model": conversation.model_id,
        "pinned": conversation.pinned,
        "archived": conversation.archived,
        "temporary": conversation.temporary,
        "folder": str(conversation.folder_id) if conversation.folder_id else None,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
        "url": conversation.get_absolute_url(),
    }


def conversation_details(conversation: Conversation) -> dict[str, Any]:
    """Returns what apps on the right add to an open conversation."""
    details: dict[str, Any] = {}
    for added in hooks.conversation_details(conversation):
        details |= added
    return details


def load_siblings(messages: list[Message]) -> None:
    """Sets `siblings` of each of these messages, all of one conversation, with one query; then lets apps on
    the right set `extras`."""
    if not messages:
        return
    roots = Q(parent=None, conversation=messages[0].conversation_id)
    parents = [message.parent_id for message in messages if message.parent_id]
    beside = Q(parent__in=parents) | roots if len(parents) < len(messages) else Q(parent__in=parents)
    by_parent: dict[UUID | None, list[UUID]] = {}
    for pk, parent in Message.objects.filter(beside).order_by("created_at", "pk").values_list("pk", "parent"):
        by_parent.setdefault(parent, []).append(pk)
    for message in messages:
        message.siblings = by_parent.get(message.parent_id, [message.pk])
    hooks.message_details(messages)


def message_json(message: Message) -> dict[str, Any]:
    """Serializes a message. A hidden one keeps its place and loses its text. A live one has its text in the
    token log; `text` is what that continues, mostly nothing. `extras` has the generation of an answer."""
    if message.siblings is None:
        load_siblings([message])
    origin = origin_of(message)
    return {
        "id": str(message.pk),
        "conversation": str(message.conversation_id),
        "parent": str(message.parent_id) if message.parent_id else None,
        "role": message.role,
        "text": "" if message.hidden_at else message.text,
        "siblings": [str(pk) for pk in message.siblings or []],
        "status": message.status,
        "created_at": message.created_at.isoformat(),
        "hidden": message.hidden_at is not None,
        "pinned": message.pinned,
        "generation": None,
        "reason": "",
        **({"origin": origin} if origin else {}),
        **message.extras,
    }
