"""Rules keep their meaning when their pattern moves into options, and when an operator goes back."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

BEFORE, AFTER = [("moderation", "0002_report_origin")], [("moderation", "0005_drop_rule_pattern")]
PATTERN = r"sand.ich\b|été"


def migrated(target: list[tuple[str, str]]) -> Any:
    MigrationExecutor(connection).migrate(target)
    return MigrationExecutor(connection).loader.project_state(target).apps.get_model("moderation", "Rule")


@pytest.mark.django_db(transaction=True)
def test_patterns_move_into_options_and_back() -> None:
    latest = MigrationExecutor(connection).loader.graph.leaf_nodes("moderation")
    try:
        rule = migrated(BEFORE)
        old = rule.objects.create(name="old", pattern=PATTERN, applies="both", words="No.", active=False)
        rule = migrated(AFTER)
        moved = rule.objects.get(pk=old.pk)
        assert (moved.kind, moved.options) == ("pattern", {"pattern": PATTERN})
        assert (moved.applies, moved.words, moved.active) == ("both", "No.", False)
        rule.objects.create(name="new", kind="secrets", options={"random": True})
        rule = migrated(BEFORE)
        assert dict(rule.objects.values_list("name", "pattern")) == {"old": PATTERN, "new": ""}
    finally:
        migrated(latest)
