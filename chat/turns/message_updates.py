"""Tells the open pages of a conversation's owner that a message has another summary, pin or image."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction

from chat.conversations.models import Message, MessageStatus
from chat.conversations.serializers import load_siblings, message_json
from chat.turns import events, frames


def announce_after_commit(message: Message) -> None:
    transaction.on_commit(partial(announce, message), robust=True)


def announce(message: Message) -> None:
    """Sends the message to the owner's pages, with its summary and pin as they are now."""
    found = Message.objects.select_related("conversation").filter(pk=message.pk).first()
    if found is not None and found.status != MessageStatus.LIVE:
        changed = frames.MessageChanged(message=current_message_json(found))
        events.publish_sync(found.conversation.owner_id, changed)


def current_message_json(message: Message) -> dict[str, Any]:
    """Returns a message with its summary as it is now; null where a page may still show one that is gone."""
    load_siblings([message])
    return {"summary": None, **message_json(message)}
