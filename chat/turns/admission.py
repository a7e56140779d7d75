"""Checks a turn before its texts are read: the messages it names, the queue, the quota."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.db.models import Count, Q
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.access import message_for
from chat.conversations.models import Conversation, Message, MessageStatus, Role
from chat.core.errors import BadInput, Busy, QueueFull
from chat.model_cards.models import ModelCard
from chat.quotas import services as quotas
from chat.turns.models import Generation

BUSY_RETRY_SECONDS = 15


def parent_for(user: User, conversation: Conversation, parent_id: UUID | None) -> Message | None:
    """Returns the answer that a question follows. Raises NotFound, BadInput, and Busy while it is written."""
    if parent_id is None:
        return None
    parent = conversation.messages.filter(pk=parent_id).first() or message_for(user, parent_id)
    if parent.conversation_id != conversation.pk or parent.role != Role.ASSISTANT:
        raise BadInput(_("A message must follow an answer of the same conversation."))
    if parent.status == MessageStatus.LIVE:
        raise Busy(_("The last reply is still being written."))
    return parent


def settled_answer_for(user: User, message_id: UUID) -> tuple[Message, Message]:
    """Returns an answer and its question. Raises NotFound, BadInput, and Busy while it is written."""
    answer = message_for(user, message_id)
    if answer.role != Role.ASSISTANT or answer.parent is None:
        raise BadInput(_("Only an answer can be asked for again."))
    if answer.status == MessageStatus.LIVE:
        raise Busy(_("The last reply is still being written."))
    return answer, answer.parent


def admit(user: User, model: ModelCard) -> quotas.Allowance:
    """Makes the checks that need only numbers, before texts of files and of the history are read."""
    _check_queue(user, model.slug)
    return quotas.open_today(user, model.price)


def _check_queue(user: User, model: str) -> None:
    """Raises QueueFull. The bound is on live rows, counted in the transaction that would add one (rule 5).

    A person without a live reply is let in up to twice the limit, so that a few cannot fill it for all.
    """
    live = Generation.objects.live().aggregate(
        waiting=Count("pk", filter=Q(model=model)), own=Count("pk", filter=Q(user=user))
    )
    room = settings.QUEUE_LIMIT if live["own"] else 2 * settings.QUEUE_LIMIT
    for count, limit in ((live["waiting"], room), (live["own"], settings.USER_LIVE_LIMIT)):
        if count >= limit:
            raise QueueFull(waiting=count, retry_after=BUSY_RETRY_SECONDS)
