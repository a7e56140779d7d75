"""Migrating back to a release without calls of tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from chat.conversations.models import Conversation, Message
from chat.turns.models import Generation

pytestmark = [pytest.mark.django_db(transaction=True)]
Migrate = Callable[[str, str], Any]


@pytest.fixture
def migrate() -> Iterator[Migrate]:
    """Migrates an app and returns its models; at the end to the newest."""

    def to(app: str, name: str) -> Any:
        return MigrationExecutor(connection).migrate([(app, name)]).apps

    yield to
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_a_reply_that_waits_for_tools_has_failed_for_an_older_release(
    migrate: Migrate, cast: Any, model_card: Any
) -> None:
    talk = Conversation.objects.create(owner=cast.alice, model=model_card)
    steps = []
    for status in ("calling", "running"):
        message = Message.objects.create(conversation=talk, role="assistant", status="live")
        steps.append(
            Generation.objects.create(
                message=message, user=cast.alice, model="scripted", status=status, seed=1, client_id=status
            )
        )
    old = migrate("turns", "0010_total_ms")
    rows = old.get_model("turns", "Generation").objects
    found = {row.status: row.finished_at is not None for row in rows.filter(pk__in=[s.pk for s in steps])}
    assert found == {"failed": True, "running": False}
    messages = [Message.objects.get(pk=step.message_id).status for step in steps]
    assert messages == ["failed", "live"]
