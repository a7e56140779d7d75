"""Creates the cast of permission tests: alice, bob, a stranger, staff, a moderator, nobody in particular."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.test import Client

from chat.accounts import services
from chat.accounts.models import User

PASSWORD = "correct horse battery"


class Cast:
    """Holds people, and browsers in which they are logged in."""

    def __init__(self) -> None:
        self.alice = self._join("alice")
        self.bob = self._join("bob")
        self.stranger = self._join("stranger")
        self.staff = self._join("staff", is_superuser=True)
        self.moderator = self._join("moderator", is_staff=True)
        self.moderator.groups.add(Group.objects.get(name="moderators"))
        self._clients: dict[str, Client] = {}

    def client(self, who: str) -> Client:
        """Returns the browser of "alice", "bob", "stranger", "staff", "moderator" or "anonymous"."""
        if who not in self._clients:
            self._clients[who] = Client()
            if who != "anonymous":
                self._clients[who].force_login(getattr(self, who))
        return self._clients[who]

    @staticmethod
    def _join(name: str, **rights: Any) -> User:
        return services.create_user(
            email=f"{name}@example.org", password=PASSWORD, display_name=name.title(), **rights
        )
