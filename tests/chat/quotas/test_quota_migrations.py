"""Migrating back to a release whose reservations have fewer digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from chat.quotas.models import UsageEntry

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


def test_a_reservation_that_an_older_release_cannot_store_is_cut(migrate: Migrate, cast: Any) -> None:
    for reserved in (5, 2**40):
        UsageEntry.objects.create(
            generation=uuid4(), user=cast.alice, day="2026-01-01", model="scripted", reserved=reserved
        )
    old = migrate("quotas", "0003_estimated_usage").get_model("quotas", "UsageEntry").objects
    assert sorted(old.values_list("reserved", flat=True)) == [5, 2**31 - 1]
