"""The setup page sets the schedule of backups, in a folder that the service can write to."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from chat.core.models import StaffAction
from inference.base import settings_file
from tests.grokweb.first_setup.page_client import PAGE, line, post


def missing(client: Client) -> str:
    """Returns what the page says is missing about backups."""
    found = re.search(r'data-check="backup".*?</strong>: (.*?)</li>', client.get(PAGE).content.decode())
    return found[1] if found else ""


def test_backups_are_scheduled_in_a_new_folder_and_stopped_again(client: Client, tmp_path: Path) -> None:
    assert "set GROKWEB_BACKUP_FOLDER" in missing(client)
    folder = tmp_path / "backups"
    answer = post(client, "backups", folder=str(folder), hours="12", keep="3")
    assert (answer.status_code, answer["Location"]) == (302, f"{PAGE}#backups")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.iterdir()) == []
    stored = {
        "GROKWEB_BACKUP_FOLDER": str(folder),
        "GROKWEB_BACKUP_HOURS": "12",
        "GROKWEB_BACKUP_KEEP": "3",
    }
    assert settings_file.stored() == stored
    assert StaffAction.objects.get().detail == stored
    assert missing(client).startswith("none is in ")
    page = client.get(PAGE).content.decode()
    assert f'value="{folder}"' in page
    assert '<option value="12" selected>every 12 hours</option>' in page
    assert post(client, "no-backups").status_code == 302
    assert "set GROKWEB_BACKUP_FOLDER" in missing(client)
    assert folder.is_dir()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"folder": ""}, "Enter a folder of the server"),
        ({"folder": "backups"}, "is not an absolute path"),
        ({"folder": "{data}/run/backups"}, "in the data directory, backups can only be in"),
        ({"folder": "{static}/backups"}, "Choose a folder outside of the program"),
        ({"folder": "{new}/of/nothing"}, "cannot be written to: No such file or directory"),
        ({"folder": "{file}"}, "cannot be written to: File exists"),
        ({"hours": "often"}, "GROKWEB_BACKUP_HOURS=&#x27;often&#x27; is not a whole number"),
        ({"keep": "0"}, "GROKWEB_BACKUP_KEEP=0 is not between 1 and 1000"),
    ],
)
def test_a_wrong_schedule_is_refused_and_creates_no_folder(
    client: Client, settings: Any, tmp_path: Path, fields: dict[str, str], says: str
) -> None:
    (tmp_path / "file").touch()
    places = {
        "data": settings.DATA_DIR,
        "static": settings.STATIC_ROOT,
        "new": tmp_path / "new",
        "file": tmp_path / "file",
    }
    given = {"folder": "{new}", "hours": "24", "keep": "7", **fields}
    answer = post(client, "backups", **{name: value.format(**places) for name, value in given.items()})
    assert answer.status_code == 400
    assert says in line(answer)
    assert settings_file.stored() == {}
    assert not (tmp_path / "new").exists()


def test_a_schedule_of_the_environment_cannot_be_changed_here(
    client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GROKWEB_BACKUP_KEEP", "2")
    assert 'name="keep"' not in client.get(PAGE).content.decode()
    answer = post(client, "backups", folder=str(tmp_path), hours="24", keep="7")
    assert line(answer) == "GROKWEB_BACKUP_KEEP is set by the environment of the service."
    assert settings_file.stored() == {}
