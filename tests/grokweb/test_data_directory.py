"""Tests that the data directory is accessible to its owner only, whoever created it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from inference.base import exit_status
from tests.grokweb.service import ROOT, Service, eventually


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("key", ["", "a-key-of-its-own-" * 4])
def test_every_command_creates_it_for_its_owner_only(tmp_path: Path, key: str) -> None:
    """Holds also with a configured key, below missing directories, and under a permissive umask."""
    data = tmp_path / "srv" / "grokweb"
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "grokweb.settings",
        "GROKWEB_DATA": str(data),
        "GROKWEB_SECRET_KEY": key,
    }
    subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        umask=0,
    )
    assert mode(data) == 0o700


@pytest.mark.faults
@pytest.mark.faults_sqlite
def test_up_removes_the_rights_of_others_and_says_so(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.data.mkdir(mode=0o755)
    service.data.chmod(0o755)
    try:
        service.start().wait_until_ready()
        assert mode(service.data) == 0o700
        assert service.said(f"{service.data} was open to other users of this machine; now it is not.")
        open_to_others = [
            path for path in service.data.rglob("*") if mode(path) & 0o077 and not path.is_symlink()
        ]
        assert open_to_others == []
    finally:
        service.close()


@pytest.mark.parametrize("sticky", [0, stat.S_ISVTX])
def test_up_refuses_a_directory_that_others_use(tmp_path: Path, sticky: int) -> None:
    """GROKWEB_DATA=/tmp by mistake must not lock everybody out of it."""
    service = Service(tmp_path, GROKWEB_SECRET_KEY="a-key-of-its-own-" * 4)
    service.data.mkdir()
    (service.data / "somebody's").touch()
    service.data.chmod(0o755 | sticky)
    assert service.start().ended() == 1
    eventually(lambda: service.lines, "a line", 5)
    assert len(service.lines) == 1
    assert f"{service.data} is open to other users" in service.lines[0]
    assert "chmod 700" in service.lines[0]
    assert mode(service.data) == 0o755 | sticky
    assert sorted(os.listdir(service.data)) == ["somebody's"]


def test_a_directory_that_cannot_be_created_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    service = Service(tmp_path, GROKWEB_DATA=str(tmp_path / "file" / "data"))
    assert service.start().ended() == exit_status.SETTING_INVALID
    eventually(lambda: service.lines, "a line", 5)
    assert "GROKWEB_DATA" in service.lines[-1]
