"""Tests GROKWEB_HSTS in processes with production settings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.grokweb.service import ROOT, Service

PRODUCTION = {
    "GROKWEB_URLS": "https://chat.example.org",
    "GROKWEB_BEHIND_PROXY": "1",
    "GROKWEB_HSTS": "1",
    "EMAIL_URL": "smtp+tls://user:secret@mail.example.org:587",
}
ASK = """
import django, sys
django.setup()
from django.test import Client
headers = {"Host": sys.argv[2], **dict(pair.split("=") for pair in sys.argv[3:])}
answer = Client().get(sys.argv[1], headers=headers)
print(answer.status_code, answer.get("Location"), answer.get("Strict-Transport-Security"), sep="|")
"""


def run(data: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"REDIS_URL", "DATABASE_URL"}}
    settings = {
        "DJANGO_SETTINGS_MODULE": "grokweb.settings",
        "GROKWEB_DATA": str(data),
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT, env={**kept, **settings, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def asked(data: Path, *arguments: str) -> str:
    done = run(data, "-c", ASK, *arguments, **PRODUCTION)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_the_deployment_check_is_clean_with_production_settings(tmp_path: Path) -> None:
    done = run(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_the_deployment_check_warns_without_hsts(tmp_path: Path) -> None:
    environment = {**PRODUCTION, "GROKWEB_HSTS": "0"}
    done = run(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "WARNING", **environment)
    assert done.returncode != 0


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"GROKWEB_URLS": "http://chat.example.org"}, "GROKWEB_URLS"),
        ({"GROKWEB_BEHIND_PROXY": "0"}, "GROKWEB_BEHIND_PROXY"),
    ],
)
def test_hsts_is_refused_where_it_would_lock_people_out(
    tmp_path: Path, environment: dict[str, str], words: str
) -> None:
    done = run(tmp_path, "manage.py", "check", **{**PRODUCTION, **environment})
    assert done.returncode != 0
    assert words in done.stderr


def test_http_redirects_to_https_for_one_year(tmp_path: Path) -> None:
    assert (
        asked(tmp_path, "/robots.txt", "chat.example.org") == "301|https://chat.example.org/robots.txt|None"
    )
    secure = asked(tmp_path, "/robots.txt", "chat.example.org", "X-Forwarded-Proto=https")
    assert secure == "200|None|max-age=31536000; includeSubDomains"


@pytest.mark.parametrize("host", ["chat.example.org", "localhost:8000", "127.0.0.1"])
def test_health_answers_without_tls(tmp_path: Path, host: str) -> None:
    assert asked(tmp_path, "/healthz", host).startswith("200|")


@pytest.mark.faults
@pytest.mark.faults_sqlite
def test_a_service_behind_tls_starts(tmp_path: Path) -> None:
    """`up` asks /readyz without TLS."""
    service = Service(tmp_path, **PRODUCTION).with_tables()
    try:
        service.start().wait_until_ready()
        assert service.get("/readyz", Host="chat.example.org")[0] == 200
    finally:
        service.close()
