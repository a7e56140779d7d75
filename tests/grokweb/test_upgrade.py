"""Tests data of an older release, whose applications and tables had other names, with today's code."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.client import words
from tests.grokweb.backup.installation import Installation
from tests.grokweb.older_release import FIRST_WORD, MARKED, OlderInstallation
from tests.grokweb.service import eventually

pytestmark = pytest.mark.faults
OLD_LABELS = ("voice", "leaving", "desk")


@pytest.fixture
def old(tmp_path: Path, empty_database_url: str) -> Iterator[OlderInstallation]:
    made = OlderInstallation(tmp_path / "old", empty_database_url)
    try:
        yield made
    finally:
        made.close()


def answer(home: Installation, path: str, cookie: str) -> dict[str, Any]:
    status, text = home.get(path, Cookie=cookie)
    assert status == 200, text
    found: dict[str, Any] = json.loads(text)
    return found


def dump(home: Installation) -> list[str]:
    connection = sqlite3.connect(home.sqlite)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_move_database_refuses_the_database_of_an_older_release_and_leaves_it_alone(tmp_path: Path) -> None:
    older = OlderInstallation(tmp_path / "old", "")
    before = dump(older)
    said = older.refused("move_database", "--to", "postgres://a:b@127.0.0.1:1/none")
    assert "the SQLite database is of an earlier release: run `manage.py prepare` first" in said
    assert dump(older) == before


def test_an_unfinished_reply_of_an_older_release_is_finished(old: OlderInstallation) -> None:
    old.start().wait_until_ready()
    eventually(lambda: old.read()["reply"]["status"] == "complete", "the reply is complete")
    eventually(lambda: not any("gone.invalid" in each for each in old.read()["people"]), "Bob is deleted")

    found = old.read()
    assert found["reply"] == {
        "status": "complete",
        "text": words(120).replace(FIRST_WORD, MARKED, 1),
        "attempt": 2,
    }
    assert found["people"] == ["alice@example.org", "root@example.org"]
    assert found["chain_broken_at"] is None
    assert found["audit"] == ["change persona", "read conversation", "leave", "change departure"]
    assert found["feedback"] == [[1, "clear", "Well put."]]
    assert found["content_types_without_model"] == []
    assert found["permissions_without_model"] == []

    cookie = found["cookie"]
    status, page = old.get(f"/s/{found['share']}/")
    assert (status, "In the archive." in page) == (200, True)
    assert "Ledger" in json.dumps(answer(old, "/api/search/?q=archive", cookie))
    status, page = old.get("/settings/answers/", Cookie=cookie)
    assert status == 200
    for words_of_hers in ("Librarian", "Translate", "I bind books.", "Be brief."):
        assert words_of_hers in page
    talk = answer(old, f"/api/conversations/{found['talk']}/", cookie)
    assert "Librarian" in json.dumps(talk)
    old.stop()


def test_an_upgraded_database_has_the_tables_of_a_new_one(
    old: OlderInstallation, tmp_path: Path, make_database: Any
) -> None:
    old.done("prepare")
    new = Installation(tmp_path / "new", make_database())
    new.done("prepare")
    upgraded, fresh = shape(old), shape(new)
    assert upgraded.keys() == fresh.keys()
    for table, expected in fresh.items():
        assert upgraded[table] == expected, table
    assert not [table for table in upgraded["others"] if table.startswith(OLD_LABELS)]
    assert "There is nothing to rename" in old.done("rename_apps")


def test_a_backup_of_an_older_release_is_restored(
    old: OlderInstallation, tmp_path: Path, make_database: Any
) -> None:
    old.done("backup", str(tmp_path / "old.zip"))
    new = Installation(tmp_path / "new", make_database())
    new.done("restore", str(tmp_path / "old.zip"))
    new.done("prepare")
    found = new.run_module("tests.grokweb.older_release", "found")
    assert found["reply"]["status"] == "live"
    assert found["chain_broken_at"] is None
    assert found["feedback"] == [[1, "clear", "Well put."]]


def test_renaming_back_restores_the_older_names(old: OlderInstallation) -> None:
    names = {each for each in migrations_of(old) if each[0] in OLD_LABELS}
    personas = execute(old, "SELECT id, name, prompt FROM voice_persona ORDER BY id")
    old.done("prepare")
    assert not names & migrations_of(old)
    assert "migrate back first" in old.refused("rename_apps", "--back")
    for app, migration in (("personas", "0003_prompts"), ("account_deletion", "0001_departures")):
        old.done("migrate", app, migration)
    old.done("rename_apps", "--back")
    assert names <= migrations_of(old)
    assert execute(old, "SELECT id, name, prompt FROM voice_persona ORDER BY id") == personas
    assert len(execute(old, "SELECT user_id FROM leaving_departure")) == 1
    execute(old, "SELECT conversation_id, persona_id, settings FROM voice_manner")
    execute(old, "SELECT user_id, about, manner, active FROM voice_instructions")


def test_tables_of_both_names_are_refused(old: OlderInstallation) -> None:
    execute(old, "CREATE TABLE personas_persona (id integer)")
    assert "the tables voice_persona and personas_persona" in old.refused("prepare")
    execute(old, "SELECT id FROM voice_persona")  # nothing was renamed


def shape(home: Installation) -> dict[str, Any]:
    return home.run_module("tests.grokweb.older_release", "shape")


def migrations_of(home: OlderInstallation) -> set[tuple[str, str]]:
    return {(app, name) for app, name in execute(home, "SELECT app, name FROM django_migrations")}


def execute(home: OlderInstallation, statement: str) -> list[tuple[Any, ...]]:
    if home.sqlite:
        connection = sqlite3.connect(home.sqlite)
        try:
            with connection:
                return connection.execute(statement).fetchall()
        finally:
            connection.close()
    import psycopg

    with psycopg.connect(home.environment["DATABASE_URL"]) as postgres:
        cursor = postgres.execute(statement)
        return cursor.fetchall() if cursor.description else []
