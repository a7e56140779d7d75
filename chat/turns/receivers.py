"""News from the apps to the left: what it means for live replies and open tabs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.dispatch import receiver

from chat.accounts.models import User
from chat.accounts.signals import sessions_ended, user_suspended
from chat.conversations.folders import folders_json
from chat.conversations.models import Conversation, Message
from chat.conversations.services import conversation_json, message_json
from chat.conversations.signals import (
    all_deleted,
    branch_deleted,
    conversation_changed,
    conversation_deleted,
    ends_wanted,
    folders_changed,
)
from chat.moderation.signals import message_hidden, message_shown
from chat.turns import events, services
from chat.turns.guard import CLOSE_CODES
from chat.voice.services import manner_json
from chat.voice.signals import manner_changed


@receiver(conversation_deleted)
def stop_in_deleted(conversation: Conversation, **_: Any) -> None:
    services.stop_all(message__conversation=conversation)


@receiver(all_deleted)
def stop_in_all(owner: User, **_: Any) -> None:
    services.stop_all(message__conversation__owner=owner)
    events.tell_sync(owner.pk, {"type": "emptied"})


@receiver(user_suspended)
def stop_suspended(user: User, **_: Any) -> None:
    services.stop_all(user=user)
    events.close_sync(user.pk, CLOSE_CODES["suspended"])


@receiver(sessions_ended)
def close_ended(user: User, **_: Any) -> None:
    events.look_sync(user.pk)


@receiver(conversation_changed)
def tell_tabs(conversation: Conversation, deleted: bool, **_: Any) -> None:
    frame = {"type": "conversation", "conversation": conversation_json(conversation), "deleted": deleted}
    events.tell_sync(conversation.owner_id, frame)


@receiver(manner_changed)
def tell_manner(conversation: Conversation, **_: Any) -> None:
    frame = {"type": "manner", "conversation": str(conversation.pk), **manner_json(conversation)}
    events.tell_sync(conversation.owner_id, frame)


@receiver(branch_deleted)
def tell_branch(conversation: Conversation, pk: UUID, **_: Any) -> None:
    frame = {"type": "removed", "conversation": str(conversation.pk), "message_id": str(pk)}
    events.tell_sync(conversation.owner_id, frame)


@receiver(folders_changed)
def tell_folders(owner: User, **_: Any) -> None:
    events.tell_sync(owner.pk, {"type": "folders", "folders": folders_json(owner)})


@receiver(ends_wanted)
def settle_ended(messages: Sequence[Message], **_: Any) -> None:
    for message in messages:
        services.is_settled_by_now(message.pk)


@receiver(message_hidden)
def stop_answering(message: Message, **_: Any) -> None:
    """A question that was hidden is not answered any further."""
    services.stop_all(message__parent=message)


@receiver([message_hidden, message_shown])
def tell_hidden(message: Message, **_: Any) -> None:
    events.tell_sync(message.conversation.owner_id, {"type": "message", "message": message_json(message)})
