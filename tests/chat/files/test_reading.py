"""A real child process reads what people attach: encodings, PDFs, and files that were made to hurt."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from chat.files import reading, tasks
from chat.files.models import File
from inference.base.confine import AUDIT, FILTER, LAYERS, LIMITS, NETWORK
from tests.chat.cast import Cast
from tests.chat.files import making
from tests.chat.files.uploading import put

Attached = Callable[..., dict[str, Any]]
pytestmark = pytest.mark.django_db

FRENCH = "Le café est déjà prêt.\nOù êtes-vous ? À l’été, naïve façade."
RUSSIAN = "Привет, как дела? Всё хорошо, спасибо большое. Сегодня мы читаем старые файлы."


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (FRENCH, "utf-8"),
        (FRENCH, "utf-8-sig"),
        (FRENCH, "utf-16"),
        (FRENCH, "utf-16-le"),
        (FRENCH, "utf-16-be"),
        (FRENCH, "utf-32"),
        (FRENCH.replace("’", "'"), "latin-1"),
        (FRENCH, "cp1252"),
        (RUSSIAN, "cp1251"),
        ("名前,年齢\n太郎,42\n", "utf-8"),
    ],
)
def test_text_in_the_encodings_people_have(attached: Attached, text: str, encoding: str) -> None:
    result = attached(text.encode(encoding))
    assert result["state"] == "ready"
    assert File.objects.get().text == text.strip("\n")
    assert result["tokens"] > 0


def test_markup_and_data_stay_as_they_are_written(attached: Attached) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    assert attached(svg, "picture.svg")["state"] == "ready"
    assert File.objects.get().text == svg.decode()


def test_line_ends_are_one_kind_and_nul_is_gone(attached: Attached) -> None:
    attached(("\ufeffa\r\nb\rc\x00d" + 100 * "e").encode("utf-16-le"))
    assert File.objects.get().text == "a\nb\ncd" + 100 * "e"


def test_a_pdf_gives_the_text_of_its_pages(attached: Attached) -> None:
    result = attached(making.pdf("Hello there", "Second page"), "notes.txt")  # its content says what it is
    assert (result["kind"], result["state"]) == ("pdf", "ready")
    assert File.objects.get().text == "Hello there\n\nSecond page"


def test_a_pdf_that_is_locked_against_printing_only_can_be_read(attached: Attached) -> None:
    attached(making.pdf("Open to all", owner_password="x"))
    assert File.objects.get().text == "Open to all"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: making.pdf("Secret", password="x"), "locked with a password"),
        (lambda: making.pdf("", ""), "scanned pages"),
        (b"%PDF-1.7\nnot really", "broken"),
        (making.circle, "broken"),
        (making.bomb, "too large"),
        (making.many_operators, "too large"),
        (b"x" * 1_000_001, "more than 1,000,000 characters"),
        (b" \n\t\n", "no text in it"),
        ("\u200b\u3164\n\u2800".encode() * 9, "no text in it"),
        (bytes([1, 2, 3, 4, 5, 6, 7, 8]) * 50, "not text"),
        (bytes(range(1, 256)) * 20, "not text"),
    ],
    ids=[
        "locked",
        "scanned",
        "nonsense",
        "circle",
        "bomb",
        "operators",
        "long",
        "empty",
        "unseen",
        "control",
        "bytes",
    ],
)
def test_an_unreadable_pdf_states_the_reason(
    attached: Attached, content: bytes | Callable[[], bytes], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SECONDS", 200)  # the limit of processor time ends it, on a busy machine too
    result = attached(content if isinstance(content, bytes) else content(), "thing.pdf")
    assert result["state"] == "failed"
    assert words in result["words"]
    assert (File.objects.get().text, result["tokens"]) == ("", 0)


def test_reading_for_too_long_is_given_up(attached: Attached, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SECONDS", 0.5)
    assert "too long" in attached(making.many_operators())["words"]


def test_the_child_can_open_no_files_and_no_sockets() -> None:
    code = (
        "import sys, os, socket, subprocess; sys.path.insert(0, sys.argv[1])\n"
        "from chat.files import child; from inference.base.confine import Limits, confine\n"
        "confine(Limits(memory=child.MEMORY, cpu_seconds=child.CPU_SECONDS))\n"
        "def tried(work):\n"
        "    try: work()\n"
        "    except (PermissionError, OSError) as error: return type(error).__name__\n"
        "    return 'done'\n"
        "print(tried(lambda: open('/etc/passwd')), tried(lambda: open('new', 'w')), tried(socket.socket),\n"
        "      tried(lambda: subprocess.run(['true'])), tried(os.fork), tried(lambda: os.system('true')))\n"
    )
    command = [sys.executable, "-I", "-c", code, str(reading.ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["PermissionError"] * 6, done.stderr


def test_layers_that_the_machine_refuses_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    reading._log_once.cache_clear()
    with caplog.at_level("WARNING", logger="grokweb.files"):
        reading.log_missing_layers(list(LAYERS))
        assert not caplog.records
        for _ in range(2):
            reading.log_missing_layers([LIMITS, AUDIT])
    (record,) = caplog.records
    assert record.getMessage().endswith(f"sandbox: {NETWORK}, {FILTER}")


def test_the_task_reads_once_and_forgives_what_is_gone(cast: Cast, asked: list[UUID]) -> None:
    put(cast.client("alice"), b"text")
    pk = File.objects.get().pk
    tasks.read_file(str(pk))
    File.objects.update(text="as it was")
    tasks.read_file(str(pk))
    assert File.objects.get().text == "as it was"
    tasks.read_file(str(uuid4()))


def test_a_lost_original_is_reported(cast: Cast, asked: list[UUID]) -> None:
    put(cast.client("alice"), b"text")
    File.objects.update(stored="00/nothing")
    tasks.read_file(str(File.objects.get().pk))
    assert File.objects.get().state == "failed"
