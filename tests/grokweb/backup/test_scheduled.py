"""The service makes backups by the clock, one at a time; old ones stay until a new one was made."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from grokweb.backup import schedule
from grokweb.settings import changeable
from grokweb.settings.backups import BackupPlan
from inference.base import env
from tests.grokweb.backup.installation import Installation
from tests.grokweb.service import eventually

OTHERS = ("grokweb-scheduled-00000000-20200101T000000Z.zip", "grokweb-backup-20200101T000000Z.zip")


@pytest.fixture
def folder(home: Installation, tmp_path: Path) -> Path:
    """Provides the folder of the scheduled backups of this installation, of which one is kept."""
    made = tmp_path / "backups"
    made.mkdir()
    home.environment |= {"GROKWEB_BACKUP_FOLDER": str(made), "GROKWEB_BACKUP_KEEP": "1"}
    return made


def backups(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("grokweb-scheduled-*.zip") if path.name not in OTHERS)


def said_by_doctor(home: Installation) -> str:
    lines = home.manage("doctor").stdout.splitlines()
    return next(line for line in lines if " backup: " in line)


@pytest.mark.faults
def test_a_running_service_makes_one_that_can_be_restored(home: Installation, folder: Path) -> None:
    home.environment["GROKWEB_BACKUP_CHECK_SECONDS"] = "1"
    found = home.filled()
    home.start("--without=model-worker", "--without=chat-worker").wait_until_ready()
    eventually(lambda: backups(folder), "the first backup")
    eventually(lambda: "\ngrokweb_backup_timestamp_seconds " in home.get("/metrics")[1], "it is noted")
    assert "\ngrokweb_backup_failed 0.0" in home.get("/metrics")[1]
    home.stop()
    home.run("lose")
    [made] = backups(folder)
    assert made.stat().st_mode & 0o777 == 0o600
    home.done("restore", str(made), "--force")
    home.shows(found)


def test_old_ones_are_removed_only_after_a_new_one_was_made(home: Installation, folder: Path) -> None:
    for name in OTHERS:
        (folder / name).write_bytes(b"not of this schedule")
    home.filled()
    assert "none is in" in said_by_doctor(home)
    home.done("backup", "--scheduled")
    [first] = backups(folder)
    assert said_by_doctor(home).startswith("ok")

    unexpected = home.data / "files" / "ab" / "not a name"
    unexpected.parent.mkdir(parents=True)
    unexpected.touch()
    assert "a file is stored under the unexpected name" in home.refused("backup", "--scheduled")
    assert backups(folder) == [first]
    said = said_by_doctor(home)
    assert said.startswith("problem")
    assert "the last one failed: a file is stored under the unexpected name" in said

    unexpected.unlink()
    with schedule.alone(home.data):
        assert "another scheduled backup is being made" in home.refused("backup", "--scheduled")
    home.done("backup", "--scheduled")
    [second] = backups(folder)
    assert second > first
    assert said_by_doctor(home).startswith("ok")
    assert sorted(path.name for path in folder.iterdir()) == sorted([*OTHERS, second.name])


def test_the_one_just_made_stays_whatever_a_wrong_clock_named_others(
    home: Installation, folder: Path
) -> None:
    home.filled()
    home.done("backup", "--scheduled")
    [first] = backups(folder)
    future = first.rename(folder / re.sub(r"\d{8}T", "29990101T", first.name))
    home.done("backup", "--scheduled")
    [second] = backups(folder)
    assert second != future


def test_leftovers_of_a_killed_one_go_after_the_folder_was_changed(tmp_path: Path) -> None:
    old = tmp_path / "old"
    left = old / ".grokweb-backup-left"
    left.mkdir(parents=True)
    schedule.begin(tmp_path, BackupPlan(old, 6, 1))
    schedule.begin(tmp_path, BackupPlan(tmp_path / "new", 6, 1))
    assert list(old.iterdir()) == []


def test_a_folder_that_is_not_there_is_not_created(home: Installation, folder: Path) -> None:
    folder.rmdir()
    assert "is its disk mounted?" in home.refused("backup", "--scheduled")
    assert not folder.exists()
    home.environment["GROKWEB_BACKUP_HOURS"] = "0"
    assert "no backups are scheduled" in home.refused("backup", "--scheduled")


# --- When one is due ----------------------------------------------------------------------------------------


def ago(hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="microseconds")


@pytest.mark.parametrize(
    ("began", "made", "known", "is_due"),
    [  # hours ago
        (None, None, {"folder": ""}, True),
        (1, 0.8, {"folder": "/elsewhere"}, True),
        (5, 4, {}, False),
        (6.1, 6, {}, True),
        (-300, -300, {}, True),  # by a clock that was wrong
        (0.3, 9, {"why": "the disk is full"}, False),
        (0.6, 9, {"why": "the disk is full"}, True),
        (0.6, None, {}, True),  # its process was killed
    ],
)
def test_the_next_one_is_due_after_the_interval_and_after_a_failure_sooner(
    tmp_path: Path, began: float | None, made: float | None, known: dict[str, str], is_due: bool
) -> None:
    plan = BackupPlan(Path("/srv/backups"), hours=6, keep=7)
    times = {name: ago(at) if at is not None else "" for name, at in (("began", began), ("made", made))}
    written = {"folder": "/srv/backups", "why": "", **times, **known}
    (tmp_path / schedule.FILE_NAME).write_text(json.dumps(written))
    assert schedule.is_due(tmp_path, plan) is is_due
    assert not schedule.is_due(tmp_path, BackupPlan(Path("/srv/backups"), hours=0, keep=7))
    assert not schedule.is_due(tmp_path, BackupPlan(None, hours=6, keep=7))


def test_none_is_due_while_one_is_made(tmp_path: Path) -> None:
    plan = BackupPlan(Path("/srv/backups"), hours=6, keep=7)
    state = {"folder": "/srv/backups", "began": ago(hours=7), "made": "", "why": ""}
    (tmp_path / schedule.FILE_NAME).write_text(json.dumps(state))
    with schedule.alone(tmp_path):
        assert not schedule.is_due(tmp_path, plan)
        assert schedule.read(tmp_path).failure(tmp_path) == ""
    assert schedule.is_due(tmp_path, plan)
    assert schedule.read(tmp_path).failure(tmp_path) == "it was interrupted"


@pytest.mark.django_db
def test_a_failed_one_shows_in_the_metrics_and_keeps_the_service_ready(
    client: Client, settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR, settings.BACKUPS = tmp_path, BackupPlan(tmp_path / "gone", hours=6, keep=7)
    schedule.begin(tmp_path, settings.BACKUPS)
    schedule.fail(tmp_path, "the disk is full")
    assert b"\ngrokweb_backup_failed 1.0" in client.get("/metrics", REMOTE_ADDR="127.0.0.1").content
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"GROKWEB_BACKUP_FOLDER": "backups"}, "GROKWEB_BACKUP_FOLDER='backups' is not an absolute path"),
        ({"GROKWEB_BACKUP_FOLDER": "{data}/run/x"}, "GROKWEB_BACKUP_FOLDER: in the data directory, backups"),
        ({"GROKWEB_BACKUP_HOURS": "soon"}, "GROKWEB_BACKUP_HOURS='soon' is not a whole number"),
        ({"GROKWEB_BACKUP_KEEP": "0"}, "GROKWEB_BACKUP_KEEP=0 is not between 1 and 1000"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(values: dict[str, str], says: str, settings: Any) -> None:
    given = {name: value.format(data=settings.DATA_DIR) for name, value in values.items()}
    with env.trying(given), pytest.raises(env.InvalidSetting) as refused:
        changeable.read()
    assert str(refused.value).startswith(says)
