"""`manage.py setup` in a process of its own: with options, with questions, and refused without both."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from inference.base import settings_file
from inference.base.exit_status import SETTING_INVALID
from inference.base.model_list.entries import read
from tests import migrated
from tests.grokweb.service import ROOT
from tests.inference.servers.fake_server import MODEL, FakeServer

SECRET = "sk-never-shown-4711"
ROWS = """
from chat.core.models import StaffAction
print([row.verb for row in StaffAction.objects.order_by("pk")])
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Provides the environment of an installation that was prepared and is not running."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    migrated.copy_sqlite(data / "grokweb.sqlite3")
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return {**kept, "DJANGO_SETTINGS_MODULE": "grokweb.settings", "GROKWEB_DATA": str(data)}


def data_of(environment: dict[str, str]) -> Path:
    return Path(environment["GROKWEB_DATA"])


def setup(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "setup", *arguments],
        cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip


def verbs(environment: dict[str, str]) -> str:
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", ROWS]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_options_carry_out_what_the_page_does(environment: dict[str, str], tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(f"{SECRET}\n")
    source = "http://127.0.0.1:1/v1#tiny"
    done = setup(
        environment, "--model", source, "--key-file", str(key), "--sign-up", "closed", "--language", "fr",
        "--backup-folder", str(tmp_path / "backups"), "--backup-keep", "3",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert SECRET not in done.stdout
    found = read(data_of(environment))
    assert (found.default, found.entries["tiny"].source) == ("tiny", source)
    assert Path(found.entries["tiny"].key).read_text().strip() == SECRET
    assert settings_file.stored(data_of(environment) / "settings.toml") == {
        "GROKWEB_SIGNUP": "0",
        "GROKWEB_LANGUAGE": "fr",
        "GROKWEB_BACKUP_FOLDER": str(tmp_path / "backups"),
        "GROKWEB_BACKUP_HOURS": "24",
        "GROKWEB_BACKUP_KEEP": "3",
    }
    assert "still missing: e-mail:" in done.stdout
    assert verbs(environment) == str(["choose model", *["change settings"] * 3, "finish setup"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "this is no terminal: give options"),
        (["--model", "http://127.0.0.1:1/v1"], "the name of the model is missing"),
        (["--model", "hf:nonsense"], "is not the name of a model on a hub"),
        (["--model", "/nowhere/at/all"], "/nowhere/at/all"),
        (["--language", "xx"], "There is no such language here."),
        (["--email-file", "{file}"], "EMAIL_URL begins with none of: smtp://"),
    ],
)
def test_a_wrong_or_missing_option_ends_in_one_line_with_status_78(
    environment: dict[str, str], tmp_path: Path, arguments: list[str], says: str
) -> None:
    file = tmp_path / "mail"
    file.write_text(f"elsewhere://me:{SECRET}@host\n")
    done = setup(environment, *(each.format(file=file) for each in arguments))
    assert done.returncode == SETTING_INVALID
    [line] = done.stderr.splitlines()
    assert says in line
    assert SECRET not in line
    assert not (data_of(environment) / "models.toml").exists()
    assert not (data_of(environment) / "settings.toml").exists()


def test_without_a_prepared_database_it_says_what_to_do(environment: dict[str, str]) -> None:
    (data_of(environment) / "grokweb.sqlite3").unlink()
    done = setup(environment, "--yes")
    assert done.returncode == SETTING_INVALID
    assert "the database is not prepared: start the service once" in done.stderr


def test_questions_are_asked_on_a_terminal_until_the_answer_is_right(environment: dict[str, str]) -> None:
    with FakeServer(lambda call: call.ok("Hello")) as server:
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [sys.executable, "manage.py", "setup"],
            cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        ) as process:  # fmt: skip
            os.close(theirs)
            said = ""

            def answer(question: str, words: str) -> None:
                nonlocal said
                while question not in said:
                    said += os.read(ours, 4096).decode()
                said = said.partition(question)[2]
                os.write(ours, f"{words}\n".encode())

            answer("Search this machine", "n")
            answer("Model (a number", "nonsense:x")
            answer("there is no such folder", "n")
            answer("Model (a number", f"{server.base}#{MODEL}")
            answer("Key of the server", SECRET)
            answer("sign up? [Y/n]", "n")
            answer("Mail server, such as", "elsewhere://host")
            answer("Sender [", "")
            answer("EMAIL_URL begins with none of", "")
            answer("Language for people", "")
            answer("Folder for a backup every 24 hours [none]", "")
            rest = said
            while True:
                try:
                    rest += os.read(ours, 4096).decode()
                except OSError:  # the other end is closed
                    break
            os.close(ours)
            assert process.wait() == 0
    assert SECRET not in rest
    assert "still missing: e-mail:" in rest
    assert "`manage.py up` does not run here" in rest
    found = read(data_of(environment))
    assert found.default == MODEL
    assert Path(found.entries[MODEL].key).read_text().strip() == SECRET
    assert settings_file.stored(data_of(environment) / "settings.toml") == {"GROKWEB_SIGNUP": "0"}
