"""What the desk answers to apps on its left."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.accounts.signals import check_user_deletable
from chat.core.errors import NotAllowed
from chat.turns.models import Generation


@receiver(check_user_deletable)
def nothing_runs(user: User, **kwargs: Any) -> None:
    """The row of a live reply must not vanish under the worker that writes it."""
    if Generation.objects.live().filter(user=user).exists():
        raise NotAllowed(_("A reply for this person is still being stopped. Please try again in a moment."))
