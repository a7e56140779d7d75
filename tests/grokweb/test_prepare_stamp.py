"""Tests the first administrator, and when a database counts as prepared."""

from __future__ import annotations

import sqlite3
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chat.accounts.models import User
from grokweb import prepare_stamp


def ensure_admin() -> str:
    out = StringIO()
    call_command("ensure_admin", stdout=out)
    return out.getvalue()


@pytest.mark.django_db
class TestFirstAdministrator:
    def test_the_administrator_is_created_once_with_the_password_shown(self) -> None:
        shown = ensure_admin()
        password = shown.split("password:")[-1].strip()
        admin = User.objects.get()
        assert (admin.email, admin.is_staff, admin.is_superuser) == ("admin@localhost", True, True)
        assert admin.check_password(password)
        assert ensure_admin() == ""
        assert User.objects.count() == 1

    def test_the_administrator_follows_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(prepare_stamp, "ADMIN_EMAIL", "Root@example.org")
        monkeypatch.setattr(prepare_stamp, "ADMIN_PASSWORD", "a long secret phrase")
        shown = ensure_admin()
        assert "a long secret phrase" not in shown
        assert User.objects.get().check_password("a long secret phrase")

    def test_an_account_that_exists_is_never_changed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        User.objects.create_user("root@example.org", "the first password")
        monkeypatch.setattr(prepare_stamp, "ADMIN_EMAIL", "ROOT@example.org")
        monkeypatch.setattr(prepare_stamp, "ADMIN_PASSWORD", "another password")
        assert ensure_admin() == ""
        assert User.objects.get().check_password("the first password")
        assert not User.objects.get().is_superuser

    def test_an_invalid_address_is_reported(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(prepare_stamp, "ADMIN_EMAIL", "not an address")
        with pytest.raises(CommandError, match="GROKWEB_ADMIN_EMAIL"):
            ensure_admin()


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provides a prepared SQLite file."""
    path = tmp_path / "some.sqlite3"
    settings: dict[str, Any] = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}}
    monkeypatch.setattr("grokweb.prepare_stamp.settings.DATABASES", settings)
    monkeypatch.setattr(prepare_stamp, "STAMP", tmp_path / "prepared.json")
    apply(path, "0001_initial")
    prepare_stamp.remember()
    return path


def apply(path: Path, name: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE IF NOT EXISTS django_migrations (app text, name text)")
        connection.execute("INSERT INTO django_migrations VALUES ('accounts', ?)", (name,))
    connection.close()


def test_a_prepared_database_is_left_alone(database: Path) -> None:
    assert prepare_stamp.is_current()


def test_an_emptied_database_is_prepared_again(database: Path) -> None:
    database.unlink()
    assert not prepare_stamp.is_current()


def test_a_database_of_another_release_is_prepared_again(database: Path) -> None:
    apply(database, "0002_more")
    assert not prepare_stamp.is_current()


@pytest.mark.parametrize(
    ("name", "value"), [("ADMIN_EMAIL", "new@example.org"), ("code_hash", lambda: "another release")]
)
def test_new_code_or_a_new_administrator_prepares_again(
    database: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setattr(prepare_stamp, name, value)
    assert not prepare_stamp.is_current()


def test_a_file_that_is_no_database_is_reported(database: Path) -> None:
    database.write_text("this is a letter, not a database, and it is long enough to be read as one")
    with pytest.raises(prepare_stamp.DatabaseUnreachable, match=database.name):
        prepare_stamp.is_current()
