"""Unusual text files through the doors, and the choice of another encoding."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chat.files import read_jobs
from chat.files.decoding import ENCODINGS
from chat.files.models import File
from tests.chat.cast import Cast
from tests.chat.files.uploading import put

Attached = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.django_db

DATA = Path(__file__).parents[2] / "data" / "text"


@pytest.mark.parametrize(
    ("name", "first", "remarks"),
    [
        ("07a_utf8_one_bad_byte.log", "2026-01-01 12:00 INFO Démarrage du café à côté, straße ok", 2),
        ("07b_utf8_cut_in_a_letter.txt", "编号,姓名,城市", 2),
        ("07c_gbk_mostly_digits.csv", "编号,姓名,日期,金额,状态", 1),
        ("07d_cp1251_subtitles.srt", "1", 1),
        ("07e_cp1250_polish.txt", "Zażółć gęślą jaźń. Wszystko w porządku, dziękuję bardzo.", 1),
        ("07f_cp1253_greek.txt", "Αυτό είναι ένα τεστ κωδικοποίησης.", 1),
        ("08_ansi_colours.log", "web-1  | INFO 2026-11-28 request 0 took 0 ms", 1),
        ("23a_mentions_pdf.md", "# Notes on file formats", 1),
        ("23c_begins_BZh.csv", "BZhang,editor", 1),
        ("23d_three_nul_bytes.log", "ok line", 1),
        ("23e_terminal_icons.txt", "\ue0b0 main \ue0a0 ok", 1),
        ("cp1251_code.txt", "# сумма заказа", 1),
        ("gbk_code.py.txt", "# 计算总价", 1),
        ("utf16le_nobom.txt", "Hello, here is a plain note.", 1),
        ("utf8_log_with_latin1_line.txt", "user=Zoé ok", 2),
    ],
)
def test_files_from_the_field_are_decoded(attached: Attached, name: str, first: str, remarks: int) -> None:
    result = attached((DATA / name).read_bytes(), name)
    assert (result["state"], result["kind"], len(result["remarks"])) == ("ready", "text", remarks)
    assert File.objects.get().text.split("\n")[0].startswith(first)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\x1b[1;31merror\x1b[0m \x1b]8;;https://example.org\x07link\x1b]8;;\x07\n", "error link"),
        (b"\x1b]0;title\x1b\\\x1b(B\x1b[?25lN\x08NA\x08AME\x1b[K", "NAME"),
        (b"8=FIX.4.2\x019=65\x0135=A\x0149=SERVER\x01", "8=FIX.4.2␁9=65␁35=A␁49=SERVER␁"),
        (b"%PDF-1.7 is the first line of a PDF\n", "%PDF-1.7 is the first line of a PDF"),
        (b"# A PDF\n\n```\n%PDF-1.4\n1 0 obj\n```\n", "# A PDF\n\n```\n%PDF-1.4\n1 0 obj\n```"),
        (b"GIF89a begins a picture", "GIF89a begins a picture"),
        (b"Rar! said the lion", "Rar! said the lion"),
        (b"the ftypheic mark", "the ftypheic mark"),
        ("\U0001fae8\U0001fadc\U0001fadd new".encode(), "\U0001fae8\U0001fadc\U0001fadd new"),
        ("\uf015\ue5ff\uf07c".encode(), "\uf015\ue5ff\uf07c"),
        ("Привет".encode("utf-16-le"), "Привет"),
        ("你好世界。".encode("utf-16-be"), "你好世界。"),
    ],
    ids=ascii,
)
def test_unusual_texts_are_texts(attached: Attached, content: bytes, text: str) -> None:
    result = attached(content, "notes")
    assert (result["state"], result["kind"]) == ("ready", "text")
    assert File.objects.get().text == text


@pytest.mark.parametrize("seed", range(3))
def test_random_bytes_are_never_ready(attached: Attached, seed: int) -> None:
    result = attached(bytes(byte or 1 for byte in random.Random(seed).randbytes(3000)))
    assert result["state"] == "failed"
    assert "not text" in result["words"]


def test_an_archive_of_bzip2_is_still_refused(cast: Cast) -> None:
    answer = put(cast.client("alice"), b"BZh91AY&SY" + bytes(range(90)))
    assert answer.status_code == 400
    assert "Archives" in answer.json()["error"]["words"]


# --- Another encoding -------------------------------------------------------------------------------------


def choose(cast: Cast, who: str, pk: str, encoding: object) -> tuple[int, dict[str, Any]]:
    answer = cast.client(who).post(
        f"/api/files/{pk}/encoding/", json.dumps({"encoding": encoding}), content_type="application/json"
    )
    return answer.status_code, answer.json()


def test_a_guessed_encoding_is_shown_and_can_be_changed(
    cast: Cast, attached: Attached, asked: list[UUID], django_capture_on_commit_callbacks: Any
) -> None:
    result = attached("Où ?".encode("mac_roman"))  # a letter alone does not tell
    assert result["remarks"] == ["read as windows-1250, a guess"]
    shown = cast.client("alice").get(f"/api/files/{result['id']}/text/").json()
    assert shown["encoding"] == "cp1250"
    offered = {each["id"]: each["name"] for group in shown["encodings"] for each in group["encodings"]}
    assert offered == ENCODINGS

    with django_capture_on_commit_callbacks(execute=True):
        status, answer = choose(cast, "alice", result["id"], "mac_roman")
    assert (status, answer["file"]["state"]) == (200, "reading")
    read_jobs.read(asked.pop())
    fresh = cast.client("alice").get(f"/api/files/{result['id']}/text/").json()
    assert (fresh["text"], fresh["encoding"]) == ("Où ?", "mac_roman")
    assert fresh["file"]["remarks"] == ["read as Mac Roman"]


def test_an_encoding_that_does_not_fit_is_reported_and_can_be_undone(
    cast: Cast, attached: Attached, asked: list[UUID], django_capture_on_commit_callbacks: Any
) -> None:
    result = attached("Le café est déjà prêt, où êtes-vous ?".encode("cp1252"))
    for encoding, state in (("utf-8", "failed"), ("cp1252", "ready")):
        with django_capture_on_commit_callbacks(execute=True):
            assert choose(cast, "alice", result["id"], encoding)[0] == 200
        read_jobs.read(asked.pop())
        fresh = cast.client("alice").get(f"/api/files/{result['id']}/text/").json()
        assert (fresh["file"]["state"], fresh["encoding"]) == (state, encoding)


@pytest.mark.parametrize(("who", "status"), [("bob", 404), ("staff", 404), ("anonymous", 401)])
def test_only_the_owner_chooses(cast: Cast, attached: Attached, who: str, status: int) -> None:
    result = attached(b"mine")
    assert choose(cast, who, result["id"], "cp1252")[0] == status
    assert File.objects.get().state == "ready"


@pytest.mark.parametrize("encoding", ["rot13", "zlib", "", 5, None])
def test_only_encodings_of_the_menu_are_chosen(cast: Cast, attached: Attached, encoding: object) -> None:
    result = attached(b"mine")
    assert choose(cast, "alice", result["id"], encoding)[0] == 400
    assert File.objects.get().state == "ready"
