"""Migrating back to a release whose reservations have fewer digits."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from chat.quotas.models import UsageEntry

pytestmark = [pytest.mark.django_db(transaction=True)]


def test_a_reservation_that_an_older_release_cannot_store_is_cut(migrate: Any, cast: Any) -> None:
    for reserved in (5, 2**40):
        UsageEntry.objects.create(
            generation=uuid4(), user=cast.alice, day="2026-01-01", model="scripted", reserved=reserved
        )
    old = migrate("quotas", "0003_estimated_usage").get_model("quotas", "UsageEntry").objects
    assert sorted(old.values_list("reserved", flat=True)) == [5, 2**31 - 1]
