"""`manage.py backup`: what it writes, while the service runs, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest

from tests.grokweb.backup.installation import FILE, Installation
from tests.grokweb.service import ROOT

pytestmark = pytest.mark.faults


def test_a_backup_is_made_while_people_write_and_holds_every_file_of_its_rows(
    home: Installation, tmp_path: Path
) -> None:
    result = home.filled()
    home.serve()
    stop = threading.Event()
    statuses: list[int] = []

    def read_on() -> None:
        while not stop.is_set():
            statuses.append(home.get(f"/c/{result['conversation']}/", Cookie=result["cookie"])[0])

    reader = threading.Thread(target=read_on)
    reader.start()
    try:
        said = home.done("backup", str(tmp_path / "one.zip"))
    finally:
        stop.set()
        reader.join()
    assert "read again and checked" in said
    assert set(statuses) == {200}
    target = tmp_path / "one.zip"
    assert target.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(target) as held:
        assert held.read(f"files/{result['stored']}") == FILE
        assert held.read("secret_key").decode() == (home.data / "secret_key").read_text().strip()
        manifest = json.loads(held.read("manifest.json"))
    assert manifest["database"] == ("sqlite" if home.sqlite else "postgresql")
    assert manifest["rows"]["conversations_message"] == 2
    assert manifest["missing"] == []
    assert not list(home.data.glob(".backup-*"))
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith((".", "one"))) == [
        "one.zip"
    ]


def test_the_next_backup_removes_what_a_killed_one_left(home: Installation, tmp_path: Path) -> None:
    """A copy of the database would keep what people erase afterwards."""
    home.filled()
    before = set(tmp_path.iterdir())
    process = subprocess.Popen(
        [sys.executable, "manage.py", "backup", str(tmp_path / "one.zip")],
        cwd=ROOT, env=home.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while set(tmp_path.iterdir()) == before and process.poll() is None:
        assert time.monotonic() < deadline
    process.kill()
    process.wait()
    home.done("backup", str(tmp_path / "two.zip"))
    names = {path.name for path in set(tmp_path.iterdir()) - before}
    assert names - {"one.zip"} == {"two.zip"}
    assert not list(home.data.glob(".*backup-*"))


def test_an_existing_file_is_only_replaced_with_force(home: Installation, tmp_path: Path) -> None:
    home.filled()
    target = tmp_path / "mine.zip"
    target.write_bytes(b"somebody's")
    assert "--force" in home.refused("backup", str(target))
    assert target.read_bytes() == b"somebody's"
    home.done("backup", str(target), "--force")
    assert zipfile.is_zipfile(target)
    home.done("backup", str(tmp_path))
    assert len(list(tmp_path.glob("grokweb-backup-*.zip"))) == 1


def test_a_file_whose_bytes_are_lost_is_named_and_the_rest_is_kept(
    home: Installation, tmp_path: Path
) -> None:
    result = home.filled()
    (home.data / "files" / result["stored"]).unlink()
    ran = home.manage("backup", str(tmp_path / "one.zip"))
    assert ran.returncode == 0
    assert f"missing before the backup: files/{result['stored']}" in ran.stderr
    with zipfile.ZipFile(tmp_path / "one.zip") as held:
        assert json.loads(held.read("manifest.json"))["missing"] == [result["stored"]]


@pytest.mark.faults_sqlite
def test_a_damaged_database_is_not_backed_up(home: Installation, tmp_path: Path) -> None:
    home.filled()
    with Path(home.sqlite).open("r+b") as file:
        file.seek(os.path.getsize(home.sqlite) // 2)
        file.write(b"\xa5" * 40_000)
    assert "damaged" in home.refused("backup", str(tmp_path / "one.zip"))
    assert not (tmp_path / "one.zip").exists()


@pytest.mark.faults_sqlite
def test_without_the_programs_of_postgresql_it_says_what_to_install(
    home: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from grokweb.backup import postgres
    from grokweb.backup.errors import BackupError

    monkeypatch.setattr(postgres, "PROGRAMS", str(tmp_path))
    with pytest.raises(BackupError, match=r"pg_dump 14 or newer is needed: not found.*postgresql-client"):
        postgres.program("pg_dump", 14)
