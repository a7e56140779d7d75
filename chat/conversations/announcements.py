"""Announces changes of conversations to the apps on the right, after commit."""

from __future__ import annotations

from django.db import transaction

from chat.conversations import signals
from chat.conversations.models import Conversation


def announce_after_commit(conversation: Conversation, *, deleted: bool) -> None:
    """Sends `conversation_changed` after commit, and `conversation_deleted` before it if it was deleted.

    A receiver that fails (Redis is down) is logged and does not keep the others from being called.
    """

    def announce() -> None:
        if deleted:
            signals.conversation_deleted.send_robust(Conversation, conversation=conversation)
        signals.conversation_changed.send_robust(Conversation, conversation=conversation, deleted=deleted)

    transaction.on_commit(announce, robust=True)
