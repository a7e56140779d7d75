"""Tests what monitoring sees, and who may see it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
import redis
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from chat.accounts.models import User
from chat.core import storage
from grokweb import health
from inference.base import disk_space
from tests.faults.small_disk import SmallDisk

pytestmark = pytest.mark.django_db


def test_healthz_and_readyz_answer_200(client: Client) -> None:
    alive = client.get("/healthz").json()
    assert alive["status"] == "ok"
    assert alive["test_engines"] is True
    assert client.get("/readyz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("name", "error"), [("database", OperationalError("gone")), ("redis", redis.ConnectionError("gone"))]
)
def test_readyz_names_what_does_not_answer(
    client: Client, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setitem(health.NEEDED, name, fails)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["failing"] == [name]
    assert client.get("/healthz").status_code == 200


def test_metrics_are_shown_to_this_machine_only(client: Client) -> None:
    assert b"python_info" in client.get("/metrics", REMOTE_ADDR="127.0.0.1").content
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 404
    behind = client.get("/metrics", REMOTE_ADDR="127.0.0.1", headers={"X-Forwarded-For": "192.0.2.7"})
    assert behind.status_code == 404


def test_metrics_are_shown_with_the_token(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "METRICS_TOKEN", "s3cret")

    def asked(token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return client.get("/metrics", REMOTE_ADDR="192.0.2.7", headers=headers).status_code

    assert asked("s3cret") == 200
    assert asked("wrong") == 404
    assert asked("") == 404


@pytest.mark.parametrize(("staff", "status"), [(True, 200), (False, 404)])
def test_metrics_are_shown_to_staff(client: Client, staff: bool, status: int) -> None:
    client.force_login(User.objects.create_user("someone@example.org", "a long password", is_staff=staff))
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == status


def test_metrics_are_not_for_suspended_staff(client: Client) -> None:
    staff = User.objects.create_user("someone@example.org", "a long password", is_staff=True)
    client.force_login(staff)
    User.objects.filter(pk=staff.pk).update(suspended_at=timezone.now())
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 404


def test_monitoring_sees_a_full_disk(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SmallDisk(tmp_path / "disk", 4)) as disk:
        monkeypatch.setattr(storage, "DISKS", disk_space.Disks({"files": (disk.folder,)}, low=1))
        with disk.full():
            answer = client.get("/readyz")
            assert (answer.status_code, answer.json()["failing"]) == (503, ["disk:files"])
            figures = client.get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()
    assert 'grokweb_disk_free_bytes{disk="files"} 0.0' in figures
    assert 'grokweb_disk_writable{disk="files"} 0.0' in figures
