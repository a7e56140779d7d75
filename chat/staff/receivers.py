"""Handlers of hooks of the apps on the left."""

from __future__ import annotations

from django.utils.translation import gettext as _

from chat.accounts.hooks import check_user_deletable
from chat.accounts.models import User
from chat.core.errors import NotAllowed
from chat.turns.models import Generation


@check_user_deletable.register
def check_nothing_runs(user: User) -> None:
    """Raises NotAllowed while a reply of this person is live: its worker still writes to the row."""
    if Generation.objects.live().filter(user=user).exists():
        raise NotAllowed(_("A reply for this person is still being stopped. Please try again in a moment."))
