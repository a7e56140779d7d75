"""What every policy answers. The base lets nobody in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser

from chat.accounts.models import User

if TYPE_CHECKING:
    from chat.sharing.models import Share


class Policy:
    login_helps = False  # whether an anonymous reader is sent to the login page instead of away

    def may_open(self, share: Share, reader: User | AnonymousUser) -> bool:
        return False
