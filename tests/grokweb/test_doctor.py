"""`manage.py doctor` in a process of its own, against services that are really broken."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.test import Client

from chat.core import addresses
from grokweb.doctor import table
from grokweb.redis_server import EmbeddedRedis
from tests import migrated
from tests.grokweb.broken_servers import Mail, RedisProxy, serving
from tests.grokweb.service import ROOT

SECRET = "a-very-secret-password"


class Doctor:
    """Runs the doctor on an installation in `data`."""

    def __init__(self, data: Path, database: str) -> None:
        self.data = data
        data.mkdir(mode=0o700)
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "grokweb.settings",
            "GROKWEB_DATA": str(data),
            "GROKWEB_MODEL": "",  # not what other tests of this process set
            "GROKWEB_TEST_ENGINES": "0",
            "DATABASE_URL": database,
            "LC_ALL": "C.UTF-8",
        }
        self.status = 0

    def __call__(self, *arguments: str, **environment: str) -> dict[str, str]:
        """Returns the lines by check: level and text."""
        done = subprocess.run(
            [sys.executable, "manage.py", "doctor", *arguments],
            cwd=ROOT, env={**self.environment, **environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert SECRET not in done.stdout + done.stderr
        self.status, lines = done.returncode, {}
        for line in done.stdout.splitlines():
            level, _, rest = line.partition("  ")
            name, _, words = rest.strip().partition(": ")
            lines[name] = f"{level.strip()}: {words}"
        return lines

    def migrate(self) -> None:
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=self.environment, check=True)


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    """Provides a doctor for checks that need no database: an empty SQLite file."""
    return Doctor(tmp_path / "data", f"sqlite:///{tmp_path / 'empty.sqlite3'}")


@pytest.fixture
def database_doctor(tmp_path: Path, service_database_url: str) -> Doctor:
    """Provides a doctor for a database with tables, of the kind this run is on."""
    return Doctor(tmp_path / "data", service_database_url)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """Provides a Redis as an operator would set it up."""
    made = EmbeddedRedis(tmp_path / "own-redis")
    yield made
    made.kill()


def test_a_sound_installation_has_no_problem(database_doctor: Doctor) -> None:
    lines = database_doctor()
    assert list(lines) == list(table.CHECKS)
    assert not [line for line in lines.values() if line.startswith("problem")], lines
    assert database_doctor.status == 0


def test_doctor_prints_french(doctor: Doctor) -> None:
    assert doctor("migrations", "--language", "fr")["migrations"].startswith("problème: ")
    assert doctor("settings", LC_ALL="fr_FR.UTF-8")["settings"] == "ok: adaptés au public"


def test_an_unknown_check_is_named(doctor: Doctor) -> None:
    assert doctor("nothing") == {}
    assert doctor.status == 1


def test_extensions_that_cannot_be_used_are_named(doctor: Doctor, tmp_path: Path) -> None:
    assert doctor("extensions")["extensions"] == "ok: only those that come with GrokWeb"
    about = tmp_path / "broken-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[grokweb.rules]\nbroken = no_such_module:Rule\n")
    line = doctor("extensions", PYTHONPATH=str(tmp_path))["extensions"]
    assert line.startswith("warning: kind of rule 'broken' (no_such_module:Rule) cannot be loaded")


def test_models_that_cannot_be_served_are_a_problem(doctor: Doctor) -> None:
    assert doctor("models", GROKWEB_MODEL="")["models"] == "ok: no models.toml: only GROKWEB_MODEL is served"
    (doctor.data / "models.toml").write_text("[one]\nsource = '/nowhere'\n[two]\nslots = 1\n")
    line = doctor("models", GROKWEB_MODEL="")["models"]
    assert line.startswith("problem: models.toml: [two] source: it is missing")
    assert "models.toml: [one] source: no model at /nowhere" in line
    assert doctor.status == 1


def test_a_disk_on_which_sends_are_refused_is_a_problem(doctor: Doctor) -> None:
    line = doctor("disk", GROKWEB_DISK_LOW_MB="1000000")["disk"]
    assert line.startswith("problem: ")
    assert "less than GROKWEB_DISK_LOW_MB" in line
    assert doctor.status == 1


# --- Redis --------------------------------------------------------------------------------------------------


def test_redis_that_evicts_is_a_problem(doctor: Doctor, own_redis: EmbeddedRedis) -> None:
    import redis

    own_redis.start()
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    line = doctor("redis memory", REDIS_URL=own_redis.url)["redis memory"]
    assert line.startswith("problem: maxmemory-policy is allkeys-lru")
    assert "noeviction" in line
    assert doctor.status == 1
    with redis.Redis.from_url(own_redis.url) as client:
        client.config_set("maxmemory-policy", "noeviction")
    assert doctor("redis memory", REDIS_URL=own_redis.url)["redis memory"] == "ok: no key is evicted"
    assert doctor.status == 0


@pytest.mark.parametrize(
    ("settings", "level", "words"),
    [
        ({}, "ok", "append-only file"),
        ({"auto-aof-rewrite-percentage": "0"}, "warning", "never rewritten"),
        ({"save": "3600 1"}, "warning", "snapshots are written (save 3600 1)"),
        ({"appendonly": "no"}, "warning", "nothing is stored on disk"),
    ],
)
def test_the_doctor_warns_when_an_operators_redis_retains_erased_text(
    doctor: Doctor, own_redis: EmbeddedRedis, settings: dict[str, str], level: str, words: str
) -> None:
    import redis

    own_redis.start()
    with redis.Redis.from_url(own_redis.url) as client:
        for name, value in settings.items():
            client.config_set(name, value)
    line = doctor("redis retention", REDIS_URL=own_redis.url)["redis retention"]
    assert line.startswith(f"{level}: ")
    assert words in line


def test_redis_that_is_away_or_refuses_the_password(doctor: Doctor, own_redis: EmbeddedRedis) -> None:
    url = own_redis.url
    assert doctor("redis", REDIS_URL=url)["redis"].startswith("problem: does not answer")
    own_redis.start()
    assert doctor("redis", REDIS_URL=url.replace(own_redis.password, SECRET))["redis"].startswith("problem")
    lines = doctor(REDIS_URL="redis://127.0.0.1:1/0")
    assert list(lines) == list(table.CHECKS)  # the others are asked all the same
    assert lines["database"].startswith("ok")


@pytest.mark.parametrize(
    ("fault", "check", "words"),
    [
        ("version", "redis", "is too old: install 6.2 or newer"),
        ("clock", "redis clock", "s away from this machine's"),
    ],
)
def test_an_old_redis_or_a_wrong_clock_is_a_problem(
    doctor: Doctor, own_redis: EmbeddedRedis, fault: str, check: str, words: str
) -> None:
    own_redis.start()
    with serving(RedisProxy, url=own_redis.url, fault=fault) as port:
        line = doctor(check, REDIS_URL=own_redis.url.replace(str(own_redis.port), str(port)))[check]
    assert line.startswith("problem: ")
    assert words in line
    assert doctor(check, REDIS_URL=own_redis.url)[check].startswith("ok: ")


# --- E-mail -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "fault", "start"),
    [
        ("smtp", "", "ok: "),
        ("smtp", "log-in", "problem: 127.0.0.1:{port} refuses the login"),
        ("smtp", "no log-in", "problem: 127.0.0.1:{port} does not support what EMAIL_URL requires"),
        ("smtp", "greeting", "problem: 127.0.0.1:{port} does not answer as a mail server"),
        ("smtp+tls", "", "problem: 127.0.0.1:{port} does not support what EMAIL_URL requires"),
        ("smtp+ssl", "", "problem: 127.0.0.1:{port} does not encrypt as asked"),
    ],
)
def test_the_mail_server_is_checked_and_no_mail_is_sent(
    doctor: Doctor, scheme: str, fault: str, start: str
) -> None:
    heard: list[str] = []
    with serving(Mail, fault=fault, heard=heard) as port:
        line = doctor("e-mail", EMAIL_URL=f"{scheme}://me:{SECRET}@127.0.0.1:{port}")["e-mail"]
    assert line.startswith(start.format(port=port)), line
    assert not {"MAIL", "RCPT", "DATA", "VRFY"} & set(heard)


def test_no_mail_server_is_a_warning_and_a_silent_one_a_problem(doctor: Doctor) -> None:
    assert doctor("e-mail")["e-mail"].startswith("warning: none is set")
    line = doctor("e-mail", EMAIL_URL="smtp://127.0.0.1:1")["e-mail"]
    assert line.startswith("problem: 127.0.0.1:1 does not answer")


# --- Database -----------------------------------------------------------------------------------------------


def test_an_empty_database_is_behind(tmp_path: Path, empty_database_url: str) -> None:
    doctor = Doctor(tmp_path / "data", empty_database_url)
    assert "changes are not applied" in doctor("migrations")["migrations"]
    assert doctor.status == 1
    doctor.migrate()
    assert doctor("migrations")["migrations"] == "ok: all changes are applied"


def test_a_damaged_file_is_a_problem(doctor: Doctor) -> None:
    file = Path(doctor.environment["DATABASE_URL"].removeprefix("sqlite:///"))
    migrated.copy_sqlite(file)
    with file.open("r+b") as opened:
        for page in range(8, 60):
            opened.seek(page * 4096 + 100)
            opened.write(os.urandom(2000))
    assert doctor("integrity")["integrity"].startswith("problem: the file is damaged")
    assert doctor.status == 1


def test_the_doctor_warns_when_postgresql_logs_statements(database_doctor: Doctor) -> None:
    url = database_doctor.environment["DATABASE_URL"]
    if not url.startswith("postgres"):
        pytest.skip("SQLite overwrites what is deleted")
    assert database_doctor("database retention")["database retention"].startswith("ok: ")
    name = url.rpartition("/")[2]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE \"{name}\" SET log_statement = 'all'")
    assert "statements are logged" in database_doctor("database retention")["database retention"]


def test_a_database_that_is_away(doctor: Doctor) -> None:
    lines = doctor("database", "integrity", DATABASE_URL=f"postgres://me:{SECRET}@127.0.0.1:1/nothing")
    assert lines["database"].startswith("problem: does not answer (")
    assert "Connection refused" in lines["database"]
    assert doctor.status == 1


# --- The machine, and the way in ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "level"), [(0o700, "ok"), (0o755, "problem"), (0o750, "problem"), (0o701, "problem")]
)
def test_a_data_folder_that_others_may_read(doctor: Doctor, mode: int, level: str) -> None:
    doctor.data.chmod(mode)
    line = doctor("data folder")["data folder"]
    assert line.startswith(f"{level}: {doctor.data}")
    assert level == "ok" or f"chmod 700 {doctor.data}" in line


def test_a_key_that_others_may_read(doctor: Doctor) -> None:
    key = doctor.data / "secret_key"
    key.write_text("x" * 50)
    key.chmod(0o644)
    assert f"chmod 600 {key}" in doctor("data folder")["data folder"]


@pytest.mark.django_db
def test_addresses_that_were_refused_are_shown(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_noted", {})
    assert doctor("addresses")["addresses"].startswith("ok: ")
    Client().get("/", headers={"Host": "chat.internal:8000"})
    line = doctor("addresses")["addresses"]
    assert line.startswith("warning: requests came for chat.internal:8000, not in GROKWEB_URLS")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"GROKWEB_BIND": "0.0.0.0"}, "names only this one"),  # noqa: S104 - nothing listens
        ({"GROKWEB_URLS": "http://chat.example.org"}, "http://chat.example.org is not encrypted"),
    ],
)
def test_addresses_that_contradict_the_settings_are_warned_about(
    doctor: Doctor, environment: dict[str, str], words: str
) -> None:
    line = doctor("addresses", **environment)["addresses"]
    assert line.startswith("warning: ")
    assert words in line


def test_debug_is_a_problem(doctor: Doctor) -> None:
    assert doctor("settings", GROKWEB_DEBUG="1")["settings"].startswith("problem: ")
