"""Access to replies. Absent ones and somebody else's look the same."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.access import message_for
from chat.core.errors import BadInput
from chat.turns.models import Generation


def generation_for(user: User, message_id: UUID) -> Generation:
    """Returns the generation behind a visible reply. Raises NotFound, and BadInput for a message
    that is no reply."""
    message = message_for(user, message_id)
    generation = Generation.objects.filter(message=message).select_related("message__conversation").first()
    if generation is None:
        raise BadInput(_("That message is not a reply."))
    return generation
