"""Tells the open pages of a conversation's owner what became of a summary."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction

from chat.conversations.models import Message, MessageStatus
from chat.conversations.serializers import load_siblings, message_json
from chat.turns import events, frames
from chat.turns.models import Summary


def announce_after_commit(summary: Summary) -> None:
    transaction.on_commit(partial(announce, summary.last), robust=True)


def announce(message: Message) -> None:
    """Sends the message above the divider to the owner's pages, with the summary as it is now."""
    found = Message.objects.select_related("conversation").filter(pk=message.pk).first()
    if found is not None and found.status != MessageStatus.LIVE:
        changed = frames.MessageChanged(message=with_summary_json(found))
        events.publish_sync(found.conversation.owner_id, changed)


def with_summary_json(message: Message) -> dict[str, Any]:
    """Returns a message with its summary as it is now; null where a page may still show one that is gone."""
    load_siblings([message])
    return {"summary": None, **message_json(message)}
