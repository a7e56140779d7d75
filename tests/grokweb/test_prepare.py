"""The first administrator, and when a database counts as prepared."""

from __future__ import annotations

import sqlite3
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chat.accounts.models import User
from grokweb import prepared


def ensure_admin() -> str:
    out = StringIO()
    call_command("ensure_admin", stdout=out)
    return out.getvalue()


@pytest.mark.django_db
class TestFirstAdministrator:
    def test_made_once_with_the_password_that_is_shown(self) -> None:
        shown = ensure_admin()
        password = shown.split("password:")[-1].strip()
        admin = User.objects.get()
        assert (admin.email, admin.is_staff, admin.is_superuser) == ("admin@localhost", True, True)
        assert admin.check_password(password)
        assert ensure_admin() == ""
        assert User.objects.count() == 1

    def test_as_the_environment_says(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(prepared, "ADMIN_EMAIL", "Root@example.org")
        monkeypatch.setattr(prepared, "ADMIN_PASSWORD", "a long secret phrase")
        shown = ensure_admin()
        assert "a long secret phrase" not in shown
        assert User.objects.get().check_password("a long secret phrase")

    def test_an_account_that_exists_is_never_changed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        User.objects.create_user("root@example.org", "the first password")
        monkeypatch.setattr(prepared, "ADMIN_EMAIL", "ROOT@example.org")
        monkeypatch.setattr(prepared, "ADMIN_PASSWORD", "another password")
        assert ensure_admin() == ""
        assert User.objects.get().check_password("the first password")
        assert not User.objects.get().is_superuser

    def test_a_bad_address_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(prepared, "ADMIN_EMAIL", "not an address")
        with pytest.raises(CommandError, match="GROKWEB_ADMIN_EMAIL"):
            ensure_admin()


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A prepared SQLite file."""
    path = tmp_path / "some.sqlite3"
    settings: dict[str, Any] = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path)}}
    monkeypatch.setattr(prepared.settings, "DATABASES", settings)
    monkeypatch.setattr(prepared, "STAMP", tmp_path / "prepared.json")
    apply(path, "0001_initial")
    prepared.remember()
    return path


def apply(path: Path, name: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE IF NOT EXISTS django_migrations (app text, name text)")
        connection.execute("INSERT INTO django_migrations VALUES ('accounts', ?)", (name,))
    connection.close()


def test_a_prepared_database_is_left_alone(database: Path) -> None:
    assert prepared.is_current()


def test_an_emptied_database_is_prepared_again(database: Path) -> None:
    database.unlink()
    assert not prepared.is_current()


def test_a_database_of_another_release_is_prepared_again(database: Path) -> None:
    apply(database, "0002_more")
    assert not prepared.is_current()


@pytest.mark.parametrize(
    ("name", "value"), [("ADMIN_EMAIL", "new@example.org"), ("code_hash", lambda: "another release")]
)
def test_new_code_or_a_new_administrator_prepares_again(
    database: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    monkeypatch.setattr(prepared, name, value)
    assert not prepared.is_current()


def test_a_file_that_is_no_database_is_told(database: Path) -> None:
    database.write_text("this is a letter, not a database, and it is long enough to be read as one")
    with pytest.raises(prepared.DatabaseUnreachable, match=database.name):
        prepared.is_current()
