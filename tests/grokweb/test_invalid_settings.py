"""A setting with an unknown value stops every process in one line, which lists what is possible."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inference.base import env
from inference.base.exit_status import SETTING_INVALID
from tests.grokweb.service import ROOT

UP = ["manage.py", "up"]
# Settings that name one of several things, with a value that names none, and what the line must list.
UNKNOWN = {
    "GROKWEB_SEARCH": ("elsewhere", ["sqlite", "postgresql"]),
    "GROKWEB_MODEL": ("elsewhere:grey", ["local", "scripted"]),
    "GROKWEB_LOG_FORMAT": ("xml", ["json", "logfmt"]),
    "GROKWEB_LOG_LEVEL": ("LOUD", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]),
    "GROKWEB_DTYPE": ("float16", ["auto", "float32", "bfloat16", "int8"]),
    "DATABASE_URL": ("elsewhere://host/name", ["sqlite://", "postgres://"]),
    "REDIS_URL": ("elsewhere://host", ["redis://", "rediss://", "unix://"]),
    "GROKWEB_LANGUAGE": ("xx", ["en", "fr"]),
    "EMAIL_URL": ("elsewhere://host", ["smtp://", "smtp+tls://"]),
}
PROGRAMS = {
    "another command": ["manage.py", "doctor"],
    "web": ["-m", "grokweb.web"],
    "chat worker": ["-m", "celery", "-A", "grokweb", "worker", "-Q", "chat"],
    "model worker": ["-m", "inference.worker", "-Q", "model.x"],
}
BROKEN = "[grokweb.search_backends]\nelsewhere = no_such_module:Backend\n"


def ran(program: list[str], data: Path, **settings: str) -> subprocess.CompletedProcess[str]:
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


def only_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stdout + done.stderr).strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_value_stops_the_start_in_one_line_with_all_that_is_possible(
    name: str, tmp_path: Path
) -> None:
    value, possible = UNKNOWN[name]
    done = ran(UP, tmp_path, **{name: value})
    line = only_line(done)
    assert done.returncode == SETTING_INVALID, line
    assert name in line
    assert [each for each in possible if each not in line] == []


def test_every_setting_with_a_list_of_values_is_in_the_table_above() -> None:
    listed = {each.name for each in env.KNOWN.values() if "," in each.limits}
    assert listed == {"GROKWEB_LOG_FORMAT", "GROKWEB_LOG_LEVEL", "GROKWEB_DTYPE"}
    assert listed < UNKNOWN.keys()


@pytest.mark.parametrize("program", PROGRAMS)
def test_each_program_refuses_an_unknown_value_by_itself(program: str, tmp_path: Path) -> None:
    done = ran(PROGRAMS[program], tmp_path, GROKWEB_LOG_FORMAT="xml")
    assert only_line(done) == "GROKWEB_LOG_FORMAT='xml' is not one of: json, logfmt"
    assert done.returncode == SETTING_INVALID


def test_a_search_back_end_that_cannot_be_loaded_stops_the_start_without_a_traceback(tmp_path: Path) -> None:
    folder = tmp_path / "packages" / "elsewhere-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1\n")
    (folder / "entry_points.txt").write_text(BROKEN)
    done = ran(UP, tmp_path / "data", GROKWEB_SEARCH="elsewhere", PYTHONPATH=str(folder.parent))
    said = done.stdout + done.stderr
    assert done.returncode == SETTING_INVALID, said
    assert "GROKWEB_SEARCH=elsewhere: search back end 'elsewhere' (no_such_module:Backend) cannot be" in said
    assert "Traceback" not in said


def test_a_password_in_an_address_is_not_shown(tmp_path: Path) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "EMAIL_URL"):
        assert "s3cret" not in only_line(ran(UP, tmp_path, **{name: "elsewhere://me:s3cret@host"}))


def test_a_tool_that_lacks_a_part_stops_the_start(tmp_path: Path) -> None:
    folder = tmp_path / "packages" / "unfinished-1.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: unfinished\nVersion: 1\n")
    (folder / "entry_points.txt").write_text("[grokweb.tools]\nunfinished = unfinished:Unfinished\n")
    code = "from chat.tools.base import Tool\nclass Unfinished(Tool):\n    label = description = 'Nothing'\n"
    (folder.parent / "unfinished.py").write_text(code)
    done = ran(UP, tmp_path / "data", GROKWEB_TOOLS="unfinished", PYTHONPATH=str(folder.parent))
    said = done.stdout + done.stderr
    assert done.returncode == SETTING_INVALID, said
    assert "GROKWEB_TOOLS: tool 'unfinished' (unfinished:Unfinished) cannot be loaded: it has no run" in said
    assert "Traceback" not in said
