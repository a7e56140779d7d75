"""Gives every app's tests the cast, and the scripted model where a test uses the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from chat.model_cards.models import ModelCard
from tests.chat.cast import Cast


@pytest.fixture
def cast(db: None) -> Cast:
    return Cast()


@pytest.fixture(autouse=True)
def model_card(request: pytest.FixtureRequest) -> ModelCard | None:
    """Creates the scripted model wherever a test uses the database."""
    marker = request.node.get_closest_marker("django_db")
    if marker is None and not {"db", "transactional_db", "cast"} & set(request.fixturenames):
        return None
    transaction = marker is not None and marker.kwargs.get("transaction")
    request.getfixturevalue("transactional_db" if transaction else "db")
    return ModelCard.objects.create(
        slug="scripted", name="Scripted", about="Answers for tests.", context_tokens=1024, is_default=True
    )


@pytest.fixture
def migrate() -> Iterator[Callable[[str, str | None], Any]]:
    """Migrates an app (None: to before its first; "newest"), returns its models; at the end to the newest."""

    def to(app: str, name: str | None) -> Any:
        executor = MigrationExecutor(connection)
        targets = executor.loader.graph.leaf_nodes(app) if name == "newest" else [(app, name)]
        return executor.migrate(targets).apps

    yield to
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
