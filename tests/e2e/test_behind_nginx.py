"""nginx, configured as docs/operators.md says, forwards what the service accepts."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.chat.transfer import files
from tests.e2e.browsing import Windows, Witness, until
from tests.e2e.chat import Chat
from tests.e2e.people import Person
from tests.grokweb.service import ROOT, Service, eventually

NGINX = shutil.which("nginx") or next(
    (path for path in ("/usr/sbin/nginx", "/usr/local/sbin/nginx") if Path(path).exists()), None
)
pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed (apt-get install nginx-light)")
MIB = 1 << 20
LETTERS = 950_000  # of one message of the files below


def documented() -> str:
    """Returns the `map` and `server` blocks of docs/operators.md."""
    text = (ROOT / "docs" / "operators.md").read_text()
    (block,) = re.findall(r"^nginx:\n\n```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return block


@contextmanager
def nginx(folder: Path, port: int, behind: int, **changed: str) -> Iterator[None]:
    block = documented()
    changes = {
        "listen 443 ssl": f"listen 127.0.0.1:{port}",
        "server_name chat.example.org": "server_name localhost",
        "http://127.0.0.1:8000": f"http://127.0.0.1:{behind}",
        **changed,
    }
    for old, new in changes.items():
        assert old in block
        block = block.replace(old, new)
    places = "".join(
        f"{name}_temp_path {folder / name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"daemon off; master_process off; pid {folder / 'pid'}; error_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{places}{block}}}\n"
    )
    process = subprocess.Popen([str(NGINX), "-p", str(folder), "-c", str(configuration)])
    try:
        eventually(lambda: answers(port), "nginx listens")
        yield
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


@pytest.fixture
def through(
    service: Service, line_port: int, chromium: Browser, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Yields windows that reach the service through nginx."""
    witness = Witness(f"http://localhost:{line_port}")
    windows = Windows(chromium, witness.origin, witness)

    @contextmanager
    def opened(**changed: str) -> Iterator[tuple[Windows, Witness]]:
        with nginx(tmp_path, line_port, service.port, **changed):
            yield windows, witness
            windows.close()

    yield opened
    assert witness.unexpected() == []


def export(path: Path, messages: int) -> Path:
    """Returns an export of this site with `messages` long messages, a little below 1 MB each."""
    said = [files.said(text=f"{n} " + "x" * LETTERS) for n in range(messages)]
    for n, message in enumerate(said):
        message |= {"id": str(n), "parent": str(n - 1) if n else None}
    path.write_text(json.dumps(files.own(*said)))
    return path


def test_an_import_of_the_promised_size_comes_through(
    through: Callable[..., Any], person: Person, tmp_path: Path
) -> None:
    large = export(tmp_path / "large.json", 15)
    assert large.stat().st_size > 13.5 * MIB
    with through() as (windows, _):
        page = windows.page(person, "/settings/")
        section = page.get_by_role("region", name="Your data")
        section.get_by_label("File").set_input_files(large)
        section.get_by_role("button", name="Import").click()
        heading = section.get_by_role("heading", name="1 conversation was imported, 15 messages.")
        expect(heading).to_be_visible(timeout=60_000)


def test_the_proxy_lets_the_largest_import_through(through: Callable[..., Any], person: Person) -> None:
    with through() as (windows, witness):
        witness.allow(r"400 \(Bad Request\)")
        page = windows.page(person, "/settings/")
        section = page.get_by_role("region", name="Your data")
        page.evaluate(
            """size => {
                const moved = new DataTransfer();
                moved.items.add(new File([new Uint8Array(size).fill(91)], "all.json"));
                document.querySelector("[data-import] input[type=file]").files = moved.files;
            }""",
            50 * MIB,
        )
        section.get_by_role("button", name="Import").click()
        expect(section.get_by_role("alert")).to_have_text("The file is cut off or broken.", timeout=60_000)


def test_a_refusal_of_the_proxy_is_not_called_our_limit(
    through: Callable[..., Any], person: Person, tmp_path: Path
) -> None:
    words = (
        "A server in front of GrokWeb refused the file because of its size ({}). "
        "Its operator can raise that limit."
    )
    large, attached = export(tmp_path / "large.json", 15), tmp_path / "notes.txt"
    size = f"{large.stat().st_size / MIB:.1f} MB"
    attached.write_text("x" * (3 * MIB // 2))
    with through(**{"client_max_body_size 251m": "client_max_body_size 1m"}) as (windows, witness):
        witness.allow(r"413 \(Request Entity Too Large\)")
        page = windows.page(person, "/settings/")
        section = page.get_by_role("region", name="Your data")
        section.get_by_label("File").set_input_files(large)
        section.get_by_role("button", name="Import").click()
        expect(section.get_by_role("alert")).to_have_text(words.format(size), timeout=30_000)
        chat = Chat(windows.page(person))
        chat.page.locator("input[type=file]").first.set_input_files(attached)
        until(chat.page, lambda: words.format("1.5 MB") in chat.page.inner_text("main"), "the file's chip")
