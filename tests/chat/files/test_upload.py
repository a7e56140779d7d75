"""Tests uploads: types, names, sizes, and who may download them."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.test import Client

from chat.files import file_storage
from chat.files.models import File
from chat.files.names import CHARS, clean_name
from tests.chat.cast import PASSWORD, Cast
from tests.chat.files.uploading import put

Attached = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.django_db


def words_of(answer: Any) -> str:
    words: str = answer.json()["error"]["words"]
    return words


def test_a_file_is_stored_privately_and_read(cast: Cast, attached: Attached) -> None:
    result = attached(b"milk, eggs", "list.txt")
    shown = [result[name] for name in ("name", "kind", "size", "state")]
    assert shown == ["list.txt", "text", 10, "ready"]
    file = File.objects.get()
    path = Path(settings.DATA_DIR) / "files" / file.stored
    assert path.read_bytes() == b"milk, eggs"
    assert "list" not in file.stored
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    shown = cast.client("alice").get(f"/api/files/{result['id']}/text/").json()
    assert shown["text"] == "milk, eggs"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "This file is empty."),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "No model here can see images"),
        (b"\xff\xd8\xff\xe0" + bytes(20), "No model here can see images"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "No model here can see images"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00", "No model here can see images"),
        (b"PK\x03\x04" + bytes(40), "Archives and office documents"),
        (b"\x1f\x8b\x08" + bytes(40), "Archives and office documents"),
        (b"\x7fELF\x02\x01\x01" + bytes(200), "neither text nor a PDF"),
        (b"MZ\x90\x00\x03\x00\x00\x00" + bytes(200), "neither text nor a PDF"),
    ],
)
def test_unsupported_types_are_refused_whatever_their_name(cast: Cast, content: bytes, words: str) -> None:
    answer = put(cast.client("alice"), content, "harmless.txt", "text/plain")
    assert answer.status_code == 400
    assert words in words_of(answer)
    assert not File.objects.exists()
    assert not list((Path(settings.DATA_DIR) / "files").rglob("*.*"))


def test_limits_of_one_file_and_of_all_of_one_person(cast: Cast, settings: Any, asked: list[UUID]) -> None:
    settings.FILE_BYTES, settings.FILES_BYTES = 1 << 20, 2 << 20
    alice = cast.client("alice")
    large = b"x" * (1 << 20)
    assert words_of(put(alice, large + b"y")) == "A file may have at most 1 MB."
    assert [put(alice, large).status_code for _ in range(2)] == [201, 201]
    answer = put(alice, b"one more")
    assert answer.status_code == 400
    assert words_of(answer).startswith("Your files take 2 of 2 MB")
    assert put(cast.client("bob"), b"one more").status_code == 201
    assert File.objects.count() == 3


def test_a_broken_store_leaves_no_bytes_behind(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []

    def fails(self: File, **_: Any) -> None:
        kept.append(self.stored)
        raise RuntimeError("the database went away")

    monkeypatch.setattr(File, "save", fails)
    with pytest.raises(RuntimeError):
        put(cast.client("alice"), b"text")
    assert kept
    assert not file_storage.storage().exists(kept[0])


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("notes.txt", "notes.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\report.pdf", "report.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\u200bb\x00c\n.md", "ab c .md"),
        ("<script>alert(1)</script>.html", "script .html"),
        ("....", "file"),
        ("", "file"),
        ("\ud800.txt", "txt"),
        ("naïve café.csv", "naïve café.csv"),
        ("\U0001fae8 \U0001fadc.csv", "\U0001fae8 \U0001fadc.csv"),  # emoji of Unicode 15 and 16
        ("x" * 300 + ".csv", "x" * (CHARS - 5) + "….csv"),
        ("x" * 300, "x" * (CHARS - 1) + "…"),
    ],
)
def test_names_are_cleaned(raw: str, name: str) -> None:
    assert clean_name(raw) == name
    assert len(clean_name(raw)) <= CHARS


def test_a_hostile_name_travels_through_the_door(cast: Cast, attached: Attached) -> None:
    result = attached(b"text", "quarterly\u202excod.txt")
    assert result["name"] == "quarterlyxcod.txt"


@pytest.mark.parametrize(
    ("who", "status"), [("alice", 200), ("bob", 404), ("staff", 404), ("anonymous", 401)]
)
@pytest.mark.parametrize("what", ["", "text/", "original/"])
def test_only_its_owner_has_it(cast: Cast, attached: Attached, who: str, status: int, what: str) -> None:
    result = attached(b"mine")
    assert cast.client(who).get(f"/api/files/{result['id']}/{what}").status_code == status


def test_the_original_is_saved_and_never_shown(cast: Cast, attached: Attached) -> None:
    page = b"<!doctype html><script>alert(document.domain)</script>"
    result = attached(page, "page été.html")
    answer = cast.client("alice").get(f"/api/files/{result['id']}/original/")
    assert answer.content == page
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == "attachment; filename*=utf-8''page%20%C3%A9t%C3%A9.html"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "private, no-store"


def test_an_upload_needs_a_token_and_one_file(cast: Cast) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert strict.login(email="alice@example.org", password=PASSWORD)
    assert put(strict, b"text").status_code == 403
    assert cast.client("alice").post("/api/files/").status_code == 400
    answer = cast.client("alice").post(
        "/api/files/", json.dumps({"file": "text"}), content_type="application/json"
    )
    assert answer.status_code == 400
    assert not File.objects.exists()


def test_taken_back_before_it_is_sent(
    cast: Cast, attached: Attached, django_capture_on_commit_callbacks: Any
) -> None:
    result = attached(b"text")
    stored = File.objects.get().stored
    assert cast.client("bob").delete(f"/api/files/{result['id']}/").status_code == 404
    with django_capture_on_commit_callbacks(execute=True):
        assert cast.client("alice").delete(f"/api/files/{result['id']}/").status_code == 204
    assert not File.objects.exists()
    assert not file_storage.storage().exists(stored)
