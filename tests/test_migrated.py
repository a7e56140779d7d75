"""The databases that tests begin with have every migration of today's code."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.db.migrations.loader import MigrationLoader

from grokweb import prepare_stamp
from tests import migrated


def test_a_copied_database_has_every_migration(tmp_path: Path) -> None:
    migrated.copy_sqlite(tmp_path / "copy.sqlite3")
    with closing(sqlite3.connect(tmp_path / "copy.sqlite3")) as database:
        applied = set(database.execute("SELECT app, name FROM django_migrations"))
        assert database.execute("SELECT count(*) FROM accounts_user").fetchone() == (0,)
    assert set(MigrationLoader(None).graph.nodes) <= applied


def test_another_state_of_the_migrations_has_a_database_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    before = migrated.code_hash()
    monkeypatch.setattr(prepare_stamp, "code_hash", lambda: "with one migration more")
    assert migrated.code_hash() != before
