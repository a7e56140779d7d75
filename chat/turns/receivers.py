"""Receives signals of earlier apps: stops the live replies that they concern, and tells open tabs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from chat.accounts.models import User
from chat.accounts.signals import sessions_ended, user_suspended
from chat.conversations.folders import folders_json
from chat.conversations.hooks import settle_ended_replies
from chat.conversations.models import Conversation, Message
from chat.conversations.serializers import conversation_json, message_json
from chat.conversations.signals import (
    all_deleted,
    branch_deleted,
    conversation_changed,
    conversation_deleted,
    folders_changed,
)
from chat.files.models import Attachment
from chat.files.signals import images_changed
from chat.moderation.signals import message_hidden, message_shown
from chat.personas.services import conversation_settings_json
from chat.personas.signals import conversation_settings_changed
from chat.turns import events, frames, message_updates, summaries, summary_stopping
from chat.turns.models import Summary
from chat.turns.settlement import settle_if_ended
from chat.turns.socket_monitor import CLOSE_CODES
from chat.turns.stopping import stop_all


@receiver(conversation_deleted)
def stop_in_deleted(conversation: Conversation, **_: Any) -> None:
    stop_all(message__conversation=conversation)
    summary_stopping.stop_all(conversation=conversation)


@receiver(all_deleted)
def stop_in_all(owner: User, **_: Any) -> None:
    stop_all(message__conversation__owner=owner)
    summary_stopping.stop_all(conversation__owner=owner)
    events.publish_sync(owner.pk, frames.Emptied())


@receiver(user_suspended)
def stop_suspended(user: User, **_: Any) -> None:
    stop_all(user=user)
    summary_stopping.stop_all(user=user)
    events.close_sync(user.pk, CLOSE_CODES["suspended"])


@receiver(sessions_ended)
def close_ended(user: User, **_: Any) -> None:
    events.check_sessions_sync(user.pk)


@receiver(conversation_changed)
def publish_conversation(conversation: Conversation, deleted: bool, **_: Any) -> None:
    frame = frames.ConversationChanged(conversation=conversation_json(conversation), deleted=deleted)
    events.publish_sync(conversation.owner_id, frame)


@receiver(conversation_settings_changed)
def publish_settings(conversation: Conversation, **_: Any) -> None:
    frame = frames.SettingsChanged(conversation=conversation.pk, **conversation_settings_json(conversation))
    events.publish_sync(conversation.owner_id, frame)


@receiver(branch_deleted)
def publish_deleted_branch(conversation: Conversation, pk: UUID, **_: Any) -> None:
    events.publish_sync(conversation.owner_id, frames.Removed(conversation=conversation.pk, message_id=pk))


@receiver(folders_changed)
def publish_folders(owner: User, **_: Any) -> None:
    events.publish_sync(owner.pk, frames.Folders(folders=folders_json(owner)))


@settle_ended_replies.register
def settle_ended(messages: Sequence[Message]) -> None:
    """Settles those of these replies whose log has an end."""
    for message in messages:
        settle_if_ended(message.pk)


@receiver(message_hidden)
def stop_answering(message: Message, **_: Any) -> None:
    """A question that was hidden is not answered any further."""
    stop_all(message__parent=message)


@receiver(images_changed)
def publish_images(message: Message, **_: Any) -> None:
    message_updates.announce(message)


@receiver(message_hidden)
def delete_summaries(message: Message, **_: Any) -> None:
    _delete_covering(message)


@receiver(pre_delete, sender=Attachment)
def delete_summaries_of_file(instance: Attachment, **_: Any) -> None:
    """Keeps the words of a deleted file from staying in a summary."""
    _delete_covering(instance.message)


def _delete_covering(message: Message) -> None:
    for end in summaries.delete_covering(message):
        transaction.on_commit(partial(message_updates.announce, end), robust=True)


@receiver(pre_delete, sender=Summary)
def free_summary(instance: Summary, **_: Any) -> None:
    """A summary that is being written goes with a message that it covers."""
    if not instance.is_settled:
        summary_stopping.free(instance)


@receiver([message_hidden, message_shown])
def publish_message(message: Message, **_: Any) -> None:
    events.publish_sync(message.conversation.owner_id, frames.MessageChanged(message=message_json(message)))
