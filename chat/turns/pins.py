"""Pins messages: prompts always have the turn of a pinned message, a question with its answer.

A pin belongs to the owner of the conversation, as everything in it does. Neither an old turn that no longer
fits nor a summary takes a pinned one out of a prompt (docs/long-conversations.md).
"""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.accounts.services import check_not_suspended
from chat.conversations.models import Conversation, Message, MessageStatus, Role
from chat.core.errors import BadInput
from chat.core.throttling import throttle
from chat.turns.message_updates import announce_after_commit
from chat.turns.pin_limits import check_room


def pin(message: Message, user: User) -> None:
    """Raises ChatErrors."""
    check_not_suspended(user)
    throttle("pin", str(user.pk), 240, 3600)
    if message.role == Role.SYSTEM or message.hidden_at or message.status == MessageStatus.LIVE:
        raise BadInput(_("Only a question or a finished answer can be pinned."))
    with transaction.atomic():
        # Two tabs that pin take turns, so that together they stay below the limit.
        Conversation.objects.select_for_update(no_key=True).only("pk").get(pk=message.conversation_id)
        check_room(message, user)
        _set(message, pinned=True)


def unpin(message: Message) -> None:
    with transaction.atomic():
        _set(message, pinned=False)


def _set(message: Message, *, pinned: bool) -> None:
    if Message.objects.filter(pk=message.pk, pinned=not pinned).update(pinned=pinned):
        message.pinned = pinned
        announce_after_commit(message)
