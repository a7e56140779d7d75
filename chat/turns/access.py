"""Access to replies. Absent ones and somebody else's look the same."""

from __future__ import annotations

from uuid import UUID

from django.db.models import prefetch_related_objects
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.access import message_for
from chat.core.errors import BadInput, NotFound
from chat.turns.models import Generation, ToolCall


def call_for(user: User, call_id: UUID) -> ToolCall:
    """Returns a call of a visible reply. Raises NotFound."""
    call = ToolCall.objects.select_related("step").filter(pk=call_id).first()
    if call is None:
        raise NotFound
    message_for(user, call.step.message_id)
    return call


def steps_for(user: User, message_id: UUID) -> list[Generation]:
    """Returns the steps of a visible reply in order. Raises NotFound, and BadInput for a message that is no
    reply."""
    message = message_for(user, message_id)
    steps = list(Generation.objects.steps_of(message).select_related("message__conversation"))
    prefetch_related_objects([step for step in steps if step.has_parts], "parts")
    if not steps:
        raise BadInput(_("That message is not a reply."))
    return steps
