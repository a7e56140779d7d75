"""The cast of every permission test: alice, bob, a stranger, staff, a moderator, and nobody in particular."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from chat.accounts import services
from chat.accounts.models import User
from chat.conversations.models import ModelCard

PASSWORD = "correct horse battery"


class Cast:
    """People, and browsers in which they are logged in."""

    def __init__(self) -> None:
        self.alice = self._join("alice")
        self.bob = self._join("bob")
        self.stranger = self._join("stranger")
        self.staff = self._join("staff", is_superuser=True)
        self.moderator = self._join("moderator", is_staff=True)
        self.moderator.groups.add(Group.objects.get(name="moderators"))
        self._clients: dict[str, Client] = {}

    def client(self, who: str) -> Client:
        """The browser of "alice", "bob", "stranger", "staff", "moderator" or "anonymous"."""
        if who not in self._clients:
            self._clients[who] = Client()
            if who != "anonymous":
                self._clients[who].force_login(getattr(self, who))
        return self._clients[who]

    @staticmethod
    def _join(name: str, **rights: bool) -> User:
        return services.create_user(
            email=f"{name}@example.org", password=PASSWORD, display_name=name.title(), **rights
        )


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast()


@pytest.fixture(autouse=True)
def model_card(request: pytest.FixtureRequest) -> ModelCard | None:
    """The scripted model, wherever a test uses the database."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None and not {"db", "transactional_db", "cast"} & set(request.fixturenames):
        return None
    transaction = marker is not None and marker.kwargs.get("transaction")
    request.getfixturevalue("transactional_db" if transaction else "db")
    return ModelCard.objects.create(
        slug="scripted", name="Scripted", about="Answers for tests.", context_tokens=1024, is_default=True
    )
