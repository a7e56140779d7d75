"""An upgrade does not take a default that an announcement made for the staff's choice; the way back works."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from chat.conversations.models import ModelCard

pytestmark = [pytest.mark.django_db(transaction=True)]
BEFORE, AFTER = ("conversations", "0004_message_origin"), ("conversations", "0005_model_choice")


def migrate(to: tuple[str, str]) -> None:
    MigrationExecutor(connection).migrate([to])


@pytest.fixture
def before(model_card: ModelCard) -> Iterator[None]:
    """A database of the version before, with a default that the first announcement made."""
    migrate(BEFORE)
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_an_announced_default_is_forgotten_and_the_card_stays(before: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT slug, is_default FROM conversations_modelcard")
        assert [(slug, bool(default)) for slug, default in cursor.fetchall()] == [("scripted", True)]
    migrate(AFTER)
    card = ModelCard.objects.get()
    assert (card.slug, card.is_default, card.is_hidden, card.is_retired) == ("scripted", False, False, False)
    assert (card.successor, card.last_seen_at) == (None, None)
