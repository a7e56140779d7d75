"""Opens a shared page to whoever has the address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from django.utils.translation import gettext_lazy as _

from chat.accounts.models import User
from chat.sharing.policies.base import Policy

if TYPE_CHECKING:
    from chat.sharing.models import Share


class Anyone(Policy):
    label = _("anyone")

    def may_open(self, share: Share, reader: User | AnonymousUser) -> bool:
        return True
