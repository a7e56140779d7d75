"""Removes the rows of deleted conversations, in small transactions: SQLite's writers share one lock."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message, MessageStatus

PURGE_AFTER = timedelta(seconds=60)  # time for running replies to be stopped and settled
PURGE_ROWS = 50  # messages deleted in one transaction


def purge_deleted() -> int:
    """Removes the conversations that were deleted PURGE_AFTER ago; returns how many."""
    live = Message.objects.filter(conversation=OuterRef("pk"), status=MessageStatus.LIVE)
    ripe = Conversation.objects.filter(~Exists(live), deleted_at__lt=timezone.now() - PURGE_AFTER)
    return _purge(list(ripe.values_list("pk", flat=True)))


def purge_owner(owner: User) -> int:
    """Removes all conversations of a person whose account is being deleted; returns how many. None of their
    replies may be live any more."""
    return _purge(list(Conversation.objects.filter(owner=owner).values_list("pk", flat=True)))


def _purge(conversation_pks: list[UUID]) -> int:
    for conversation_pk in conversation_pks:
        while _purge_messages(conversation_pk):
            pass
        Conversation.objects.filter(pk=conversation_pk).delete()
    return len(conversation_pks)


def _purge_messages(conversation_pk: UUID) -> int:
    batch = list(
        Message.objects.filter(conversation=conversation_pk).values_list("pk", flat=True)[:PURGE_ROWS]
    )
    with transaction.atomic():
        # Cut off first: a deleted message would take its whole branch with it in the same transaction.
        Message.objects.filter(parent__in=batch).update(parent=None)
        Message.objects.filter(pk__in=batch).delete()
    return len(batch)
