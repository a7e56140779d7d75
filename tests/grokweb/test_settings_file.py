"""`settings.toml` holds settings: the environment wins, a wrong line stops the start, a change is applied."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from grokweb.settings import changeable
from inference.base import env, settings_file
from inference.base.exit_status import SETTING_INVALID
from tests.grokweb.service import ROOT

SHOW = (
    "import grokweb.settings as s;"
    "host = s.EMAIL_HOST if s.EMAIL_URL else '-';"
    "print(s.SIGNUP_OPEN, host, s.LANGUAGE_CODE, s.ACCOUNT_EMAIL_VERIFICATION)"
)


def ran(data: Path, *program: str, **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in env.KNOWN}
    return subprocess.run(
        [sys.executable, *program],
        cwd=ROOT,
        env={**kept, "GROKWEB_DATA": str(data), "DJANGO_SETTINGS_MODULE": "grokweb.settings", **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_file_sets_what_the_environment_leaves_open(tmp_path: Path) -> None:
    assert ran(tmp_path, "-c", SHOW).stdout == "True - en none\n"
    values = {
        "GROKWEB_SIGNUP": "0",
        "EMAIL_URL": "smtp+tls://a:b@mail.example.org:587",
        "GROKWEB_LANGUAGE": "fr",
    }
    settings_file.store(values, tmp_path / "settings.toml")
    assert ran(tmp_path, "-c", SHOW).stdout == "False mail.example.org fr mandatory\n"
    done = ran(tmp_path, "-c", SHOW, GROKWEB_SIGNUP="1", EMAIL_URL="smtp://elsewhere.example.org:25")
    assert done.stdout == "True elsewhere.example.org fr mandatory\n"


def test_the_file_is_for_its_owner_alone_and_keeps_what_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    settings_file.store({"GROKWEB_SIGNUP": "0", "GROKWEB_LANGUAGE": "fr"}, path)
    settings_file.store({"GROKWEB_SIGNUP": "", "EMAIL_URL": 'smtp://a:"b\\@mail.example.org:25'}, path)
    assert settings_file.stored(path) == {
        "GROKWEB_LANGUAGE": "fr",
        "EMAIL_URL": 'smtp://a:"b\\@mail.example.org:25',
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if stat.S_IMODE(each.stat().st_mode) != 0o600] == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("GROKWEB_SIGNUP = 'maybe'", "settings.toml: GROKWEB_SIGNUP='maybe' is neither 1 nor 0"),
        ("GROKWEB_LANGUAGE = 'xx'", "settings.toml: GROKWEB_LANGUAGE='xx' is not one of: en, fr"),
        ("EMAIL_URL = 'elsewhere://me:s3cret@host'", "settings.toml: EMAIL_URL begins with none of: smtp://"),
        ("EMAIL_URL = 'smtp://me:s3cret@host:99999'", "settings.toml: EMAIL_URL: its port is not a number"),
        ("EMAIL_URL = ['s3cret']", "settings.toml: EMAIL_URL: it must be a text in quotation marks"),
        ("PORT = 80", "settings.toml: PORT cannot stand here; possible are: GROKWEB_SIGNUP, EMAIL_URL"),
        ("EMAIL_URL = s3cret", "settings.toml: it is not TOML"),
    ],
)
@pytest.mark.parametrize("program", [("manage.py", "up"), ("manage.py", "doctor")])
def test_a_wrong_line_stops_every_program_in_one_line(
    program: tuple[str, ...], text: str, line: str, tmp_path: Path
) -> None:
    (tmp_path / "settings.toml").write_text(f"{text}\n")
    done = ran(tmp_path, *program)
    [said] = (done.stdout + done.stderr).splitlines()
    assert line in said
    assert "s3cret" not in said
    assert done.returncode == SETTING_INVALID


def test_a_value_is_checked_before_it_is_stored_by_what_reads_it_later() -> None:
    with (
        env.trying({"GROKWEB_SIGNUP": "maybe"}),
        pytest.raises(env.InvalidSetting, match=r"^GROKWEB_SIGNUP='maybe' is neither 1 nor 0"),
    ):
        changeable.read()
    with env.trying({"EMAIL_URL": "smtp+ssl://mail.example.org:465"}):
        assert changeable.read()["EMAIL_USE_SSL"] is True
    assert changeable.read()["EMAIL_USE_SSL"] is False


@pytest.fixture
def file(settings: Any) -> Iterator[Path]:
    """Yields the path of the file of the running process; what it changed is undone."""
    for name, value in changeable.read().items():
        setattr(settings, name, value)
    path = settings_file.path_here()
    yield path
    path.unlink(missing_ok=True)


def is_open(client: Client) -> bool:
    return b"password1" in client.get("/accounts/signup/").content


@pytest.mark.django_db
def test_sign_up_and_e_mail_change_with_the_next_request(client: Client, file: Path, settings: Any) -> None:
    assert is_open(client)
    settings_file.store({"GROKWEB_SIGNUP": "0"}, file)
    assert not is_open(client)
    settings_file.store({"GROKWEB_SIGNUP": "1", "EMAIL_URL": "smtp+ssl://mail.example.org:465"}, file)
    assert is_open(client)
    assert (settings.EMAIL_HOST, settings.EMAIL_USE_SSL) == ("mail.example.org", True)
    assert settings.ACCOUNT_EMAIL_VERIFICATION == "mandatory"
    file.write_text("GROKWEB_SIGNUP = 'maybe'\n")
    assert is_open(client)
    file.unlink()
    assert is_open(client)
    assert (settings.EMAIL_USE_SSL, settings.ACCOUNT_EMAIL_VERIFICATION) == (False, "none")
