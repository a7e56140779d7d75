"""`manage.py restore`: into broken installations, from broken archives, killed half-way."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.grokweb.backup.installation import Installation
from tests.grokweb.service import ROOT, eventually

pytestmark = pytest.mark.faults


@pytest.fixture
def saved(home: Installation, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    result = home.filled()
    home.done("backup", str(tmp_path / "saved.zip"))
    return tmp_path / "saved.zip", result


def old_log(home: Installation) -> None:
    """Simulates a crash that left part of the database in the log beside it."""
    home.run("lose")
    copy = Path(home.sqlite).with_name("copy.sqlite3")
    connection = sqlite3.connect(home.sqlite)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("UPDATE accounts_user SET display_name = 'from the old log'")
    connection.commit()
    for suffix in ("", "-wal", "-shm"):  # as they lie there now
        shutil.copyfile(home.sqlite + suffix, str(copy) + suffix)
    connection.close()
    for suffix in ("", "-wal", "-shm"):
        os.replace(str(copy) + suffix, home.sqlite + suffix)
    assert Path(f"{home.sqlite}-wal").stat().st_size > 0


def corrupt(home: Installation) -> None:
    with Path(home.sqlite).open("r+b") as file:
        file.write(b"\xa5" * 50_000)


def half_written(home: Installation) -> None:
    for path in (home.data / "files").glob("*/*"):
        path.write_bytes(path.read_bytes()[:10])
    (home.data / "secret_key").unlink()
    shutil.rmtree(home.data / "run")


def wrong_modes(home: Installation) -> None:
    home.data.chmod(0o755)
    (home.data / "files").chmod(0o777)
    (home.data / "secret_key").chmod(0o644)


def emptied(home: Installation) -> None:
    shutil.rmtree(home.data)


def migrated_further(home: Installation) -> None:
    home.run("newer")


SQLITE_ONLY: list[Callable[[Installation], None]] = [old_log, corrupt]
BOTH: list[Callable[[Installation], None]] = [half_written, wrong_modes, emptied, migrated_further]


@pytest.mark.parametrize("broken", SQLITE_ONLY + BOTH, ids=lambda broken: broken.__name__)
def test_a_restore_repairs_a_broken_installation(
    home: Installation, saved: tuple[Path, dict[str, Any]], broken: Callable[[Installation], None]
) -> None:
    if broken in SQLITE_ONLY and not home.sqlite:
        pytest.skip("a fault of SQLite's file")
    archive, result = saved
    broken(home)
    home.done("restore", str(archive), "--force")
    assert home.run("emails")["emails"] == ["admin@localhost", "alice@example.org"]
    assert home.data.stat().st_mode & 0o777 == 0o700
    assert (home.data / "secret_key").stat().st_mode & 0o777 == 0o600
    for path in (home.data / "files").glob("*/*"):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
    assert not list(home.data.glob(".restore*"))
    home.shows(result)


def is_of_format_1(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["format"] = 1
    for name in ("settings.toml", "models.toml"):
        del members[name], manifest["members"][name]


def test_settings_and_the_list_of_models_are_restored_and_an_older_backup_leaves_them_as_they_are(
    home: Installation, tmp_path: Path
) -> None:
    home.filled()
    saved, written = (
        tmp_path / "saved.zip",
        {"settings.toml": 'GROKWEB_SIGNUP = "0"\n', "models.toml": "# A\n"},
    )
    for name, text in written.items():
        (home.data / name).write_text(text)
    (home.data / "keys").mkdir(mode=0o700)
    (home.data / "keys" / "tiny").write_text("sk-1")
    home.done("backup", str(saved))
    with zipfile.ZipFile(saved) as held:
        assert not [name for name in held.namelist() if "keys" in name]
        assert written.keys() <= json.loads(held.read("manifest.json"))["members"].keys()
    (home.data / "settings.toml").unlink()
    (home.data / "models.toml").write_text("# B\n")
    home.done("restore", str(saved), "--force")
    for name, text in written.items():
        assert (home.data / name).read_text() == text
        assert (home.data / name).stat().st_mode & 0o777 == 0o600
    assert [path.read_text() for path in home.data.glob("before-restore-*/models.toml")] == ["# B\n"]
    (home.data / "models.toml").write_text("# C\n")
    rewritten(saved, is_of_format_1)
    home.done("restore", str(saved), "--force")
    assert (home.data / "models.toml").read_text() == "# C\n"
    assert (home.data / "keys" / "tiny").read_text() == "sk-1"


def test_a_restore_needs_force_and_moves_the_old_installation_aside(
    home: Installation, saved: tuple[Path, dict[str, Any]]
) -> None:
    archive, result = saved
    home.run("lose")
    assert "--force" in home.refused("restore", str(archive))
    assert home.run("emails")["emails"] == ["admin@localhost", "mallory@example.org"]
    said = home.done("restore", str(archive), "--force")
    (kept,) = home.data.glob("before-restore-*")
    assert str(kept) in said
    if home.sqlite:
        with sqlite3.connect(kept / "grokweb.sqlite3") as old:
            assert ("mallory@example.org",) in old.execute("SELECT email FROM accounts_user").fetchall()
        old.close()
    else:
        import psycopg

        schema = said.partition('schema "')[2].partition('"')[0]
        with psycopg.connect(home.environment["DATABASE_URL"]) as old_tables:
            rows = old_tables.execute(f'SELECT email FROM "{schema}".accounts_user').fetchall()
        assert ("mallory@example.org",) in rows
        home.done("backup", str(archive), "--force")  # the old tables are no part of it
        home.done("restore", str(archive), "--force")
    home.shows(result)


def test_it_refuses_while_the_service_runs(home: Installation, saved: tuple[Path, dict[str, Any]]) -> None:
    archive, result = saved
    home.serve()
    assert "already runs" in home.refused("restore", str(archive), "--force")
    home.stop()
    holder = subprocess.Popen(  # a process that no `up` started
        [sys.executable, "-c", "import django; django.setup(); from django.db import connection;"
         "connection.cursor().execute('SELECT count(*) FROM accounts_user'); print('open', flush=True);"
         "import sys; sys.stdin.read()"],
        cwd=ROOT, env=home.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdout.readline() == "open\n"
    said = home.refused("restore", str(archive), "--force")
    holder.communicate()
    assert ("another process has" if home.sqlite else "others are connected") in said
    home.shows(result)


def rewritten(archive: Path, change: Callable[[dict[str, bytes], dict[str, Any]], None]) -> None:
    """Returns the archive with other members, and a manifest that fits except for `change`."""
    with zipfile.ZipFile(archive) as held:
        members = {name: held.read(name) for name in held.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    change(members, manifest)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
        made.writestr("manifest.json", json.dumps(manifest))


def _listed(manifest: dict[str, Any], name: str, content: bytes) -> None:
    import hashlib

    manifest["members"][name] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def climbs(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    members["files/../../outside"] = b"x"
    _listed(manifest, "files/../../outside", b"x")


def is_absolute(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    members["/tmp/outside"] = b"x"
    _listed(manifest, "/tmp/outside", b"x")


def has_more(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    members["files/ab/more"] = b"x"


def lacks_one(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    name = next(name for name in members if name.startswith("files/"))
    del members[name]


def lacks_one_everywhere(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    name = next(name for name in members if name.startswith("files/"))
    del members[name], manifest["members"][name]


def was_altered(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    name = next(name for name in members if name.startswith("files/"))
    members[name] = members[name].replace(b"only", b"ONLY")


def is_a_bomb(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    members["files/ab/bomb"] = b"\0" * 30_000_000
    _listed(manifest, "files/ab/bomb", b"x")


def has_other_rows(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["rows"]["conversations_message"] += 1


def is_of_a_later_version(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["migrations"].append(["core", "9999_later"])


def has_a_later_format(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["format"] = 3


def has_a_broken_database(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    name = next(name for name in members if name.startswith("database."))
    members[name] = members[name][:2000] + b"\xa5" * (len(members[name]) - 2000)
    _listed(manifest, name, members[name])


HOSTILE = [
    (climbs, "a member is named"),
    (is_absolute, "a member is named"),
    (has_more, "only in the archive"),
    (lacks_one, "only in the archive"),
    (lacks_one_everywhere, "lacks the file"),
    (was_altered, "differs from the manifest"),
    (is_a_bomb, "another size"),
    (has_other_rows, "the manifest says 3"),
    (is_of_a_later_version, "newer version"),
    (has_a_later_format, "format 3"),
    (has_a_broken_database, "database"),
]


@pytest.mark.slow_drill
def test_archives_that_are_altered_hostile_or_newer_change_nothing(
    home: Installation, saved: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    archive, result = saved
    home.run("lose")
    before = sorted(path.name for path in home.data.iterdir())
    for change, words in HOSTILE:
        bad = tmp_path / "bad.zip"
        shutil.copyfile(archive, bad)
        rewritten(bad, change)
        said = home.refused("restore", str(bad), "--force")
        assert words in said, f"{change.__name__}: {said}"
    assert home.run("emails")["emails"] == ["admin@localhost", "mallory@example.org"]
    assert sorted(path.name for path in home.data.iterdir()) == before
    assert not Path("/tmp/outside").exists()
    home.done("restore", str(archive), "--force")
    home.shows(result)


@pytest.mark.slow_drill
def test_truncated_archives_and_archives_with_links_are_refused(
    home: Installation, saved: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    archive, _told = saved
    whole, bad = archive.read_bytes(), tmp_path / "bad.zip"
    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        bad.write_bytes(whole[:length])
        assert "not a complete backup" in home.refused("restore", str(bad), "--force")
    middle = len(whole) // 3
    bad.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :])
    assert "damaged" in home.refused("restore", str(bad), "--force")
    link = zipfile.ZipInfo("files/ab/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16

    with zipfile.ZipFile(archive) as held:
        members = {name: held.read(name) for name in held.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    _listed(manifest, link.filename, b"/etc/passwd")
    with zipfile.ZipFile(bad, "w") as made:
        for name, content in members.items():
            made.writestr(name, content)
        made.writestr(link, "/etc/passwd")
        made.writestr("manifest.json", json.dumps(manifest))
    assert "not a plain file" in home.refused("restore", str(bad), "--force")
    assert "does not exist" in home.refused("restore", str(tmp_path / "none.zip"), "--force")
    assert home.run("emails")["emails"] == ["admin@localhost", "alice@example.org"]


KILLED = """
import os, sys
import django
django.setup()
from grokweb.backup import journal, postgres
place, name, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
module = {"journal": journal, "postgres": postgres}[place]
real, calls = getattr(module, name), []
def counted(*args, **kwargs):
    calls.append(1)
    if len(calls) == number:
        os.kill(os.getpid(), 9)
    return real(*args, **kwargs)
setattr(module, name, counted)
from django.core.management import call_command
call_command("restore", sys.argv[4], "--force")
"""


@pytest.mark.parametrize(
    ("place", "name", "number", "ends"),
    [
        ("journal", "_move", 1, "new"),
        ("journal", "_move", 3, "new"),
        ("journal", "_move", 5, "new"),
        ("journal", "_close", 1, "new"),
        ("postgres", "set_aside", 1, "old"),
        ("postgres", "restore", 1, "old"),
        ("postgres", "counts", 1, "old"),
    ],
)
def test_a_killed_restore_leaves_a_complete_installation(
    home: Installation, saved: tuple[Path, dict[str, Any]], place: str, name: str, number: int, ends: str
) -> None:
    """Until everything new is complete and checked, it is the old one; afterwards the new one."""
    if place == "postgres" and home.sqlite:
        pytest.skip("steps of PostgreSQL")
    archive, result = saved
    home.run("lose")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, place, name, str(number), str(archive)],
        cwd=ROOT, env=home.environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    if killed.returncode == 0 and not home.sqlite:  # fewer moves: it was through
        assert number == 5
    else:
        assert killed.returncode == -9, killed.stderr
    home.serve()
    expected = "alice@example.org" if ends == "new" else "mallory@example.org"
    assert home.run("emails")["emails"] == ["admin@localhost", expected]
    home.stop()
    assert not list(home.data.glob(".restore*"))
    if ends == "new":
        home.shows(result)


def test_a_restore_killed_while_it_unpacks_changes_nothing(
    home: Installation, saved: tuple[Path, dict[str, Any]]
) -> None:
    archive, _told = saved
    home.run("lose")
    process = subprocess.Popen(
        [sys.executable, "manage.py", "restore", str(archive), "--force"],
        cwd=ROOT, env=home.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(home.data.glob(".restore-*")) and process.poll() is None:
        assert time.monotonic() < deadline
    process.kill()
    process.wait()
    eventually(lambda: process.poll() is not None, "the restore is gone")
    home.serve()  # whatever moment it was, one of the two is whole
    assert home.run("emails")["emails"] in (
        ["admin@localhost", "mallory@example.org"],
        ["admin@localhost", "alice@example.org"],
    )
    assert not list(home.data.glob(".restore*"))
    home.stop()
