"""A database that takes no writes: pages are read, all else is refused in words, nothing is half done."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.contrib.auth.models import Group
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.test import Client
from redis.exceptions import ReadOnlyError, ResponseError

from chat.conversations.models import Conversation, Folder
from chat.core import storage
from chat.core.errors import NotFound
from chat.files.models import File
from tests.chat.cast import PASSWORD, Cast

pytestmark = pytest.mark.django_db(transaction=True)

JSON = "application/json"


@contextmanager
def read_only_database() -> Iterator[None]:
    """Makes the database read-only, as a full disk or a replica does."""
    on, off = (
        ("PRAGMA query_only = ON", "PRAGMA query_only = OFF")
        if connection.vendor == "sqlite"
        else ("SET default_transaction_read_only = on", "SET default_transaction_read_only = off")
    )
    with connection.cursor() as cursor:
        cursor.execute(on)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(off)


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal noted in one test is no news in the next."""
    monkeypatch.setattr(storage, "_refused_at", float("-inf"))


def test_pages_can_be_read(cast: Cast) -> None:
    owned = Conversation.objects.create(owner=cast.alice, model_id=_model(), title="Kept")
    alice = cast.client("alice")
    with read_only_database():
        assert "Kept" in alice.get(f"/c/{owned.pk}/").content.decode()
        assert alice.get("/api/conversations/").status_code == 200


def _model() -> str:
    from chat.model_cards.models import ModelCard

    return ModelCard.objects.get().pk


def test_json_doors_refuse_with_a_code_and_keep_nothing(cast: Cast) -> None:
    alice = cast.client("alice")
    with read_only_database():
        answer = alice.post("/api/folders/", json.dumps({"name": "New"}), content_type=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "storage_full")
    assert "no room" in answer.json()["error"]["words"]
    assert answer["Retry-After"] == "30"
    assert not Folder.objects.exists()
    assert alice.post("/api/folders/", json.dumps({"name": "New"}), content_type=JSON).status_code == 201


def test_an_upload_leaves_no_bytes_behind(cast: Cast) -> None:
    def stored() -> set[str]:
        return {name for _, _, names in os.walk(storages["files"].path("")) for name in names}

    before, alice = stored(), cast.client("alice")
    with read_only_database():
        answer = alice.post("/api/files/", {"file": SimpleUploadedFile("a.txt", b"words")})
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "storage_full")
    assert stored() == before
    assert not File.objects.exists()


def test_logging_in_says_why_it_fails(cast: Cast) -> None:
    form = {"login": "alice@example.org", "password": PASSWORD}
    with read_only_database():
        page = Client(headers={"accept-language": "en"}).post("/accounts/login/", form)
        french = Client(headers={"accept-language": "fr"}).post("/accounts/login/", form)
    assert page.status_code == french.status_code == 507
    assert "no room to store" in page.content.decode()
    assert "n’a plus de place" in french.content.decode()
    assert page["Retry-After"] == "30"
    assert Client().post("/accounts/login/", form).status_code == 302


def test_the_admin_says_why_it_fails(cast: Cast) -> None:
    staff = cast.client("staff")
    with read_only_database():
        page = staff.post("/admin/auth/group/add/", {"name": "helpers"})
    assert page.status_code == 507
    assert "no room to store" in page.content.decode()
    assert not Group.objects.filter(name="helpers").exists()


def test_a_refused_write_makes_the_service_unready(cast: Cast) -> None:
    anyone, alice = Client(), cast.client("alice")
    assert anyone.get("/readyz").status_code == 200
    with read_only_database():
        alice.post("/api/folders/", json.dumps({"name": "New"}), content_type=JSON)
    answer = anyone.get("/readyz")
    assert (answer.status_code, answer.json()["failing"]) == (503, ["database"])


def test_a_nearly_full_disk_refuses_what_is_new_and_lets_the_rest_be_stored(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Room is kept for answers that are being written: settings and folders are small."""
    monkeypatch.setattr(storage.DISKS, "low", 1 << 60)
    monkeypatch.setattr(storage.DISKS, "_cached", {})
    alice = cast.client("alice")
    upload = alice.post("/api/files/", {"file": SimpleUploadedFile("a.txt", b"words")})
    assert (upload.status_code, upload.json()["error"]["code"]) == (507, "storage_full")
    brought = alice.post("/api/import/", {"file": SimpleUploadedFile("a.json", b"[]")})
    assert (brought.status_code, brought.json()["error"]["code"]) == (507, "storage_full")
    assert alice.post("/api/folders/", json.dumps({"name": "New"}), content_type=JSON).status_code == 201
    assert set(alice.get("/readyz").json()["failing"]) == {"disk:data", "disk:files"}


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("trouble")
    error.sqlite_errorcode = code
    return error


def of_database(cause: Exception) -> Exception:
    """Wraps the error as Django raises it."""
    error = OperationalError("trouble")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "full"),
        OSError(errno.EDQUOT, "quota"),
        OSError(errno.EROFS, "read-only"),
        ResponseError("MISCONF Errors writing to the AOF file: No space left on device"),
        ReadOnlyError("You can't write against a read only replica."),
        of_database(sqlite_error(sqlite3.SQLITE_FULL)),
        of_database(sqlite_error(sqlite3.SQLITE_READONLY_DBMOVED)),
        of_database(sqlite_error(sqlite3.SQLITE_IOERR_WRITE)),
        of_database(sqlite_error(sqlite3.SQLITE_CANTOPEN)),
        of_database(psycopg.errors.DiskFull("could not extend file")),
        of_database(psycopg.errors.ReadOnlySqlTransaction("cannot execute INSERT")),
    ],
    ids=str,
)
def test_every_way_to_say_that_there_is_no_room_is_understood(error: Exception) -> None:
    result = storage.translated(error)
    assert result is not None
    assert result.code == "storage_full"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOENT, "gone"),
        ResponseError("WRONGTYPE"),
        of_database(sqlite_error(sqlite3.SQLITE_BUSY)),
        of_database(psycopg.errors.DeadlockDetected("deadlock")),
        NotFound(),
        ValueError("a bug"),
    ],
    ids=str,
)
def test_other_failures_stay_what_they_are(error: Exception) -> None:
    assert storage.translated(error) is None
