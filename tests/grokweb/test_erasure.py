"""Erased text is in no file of the data directory, after the time that docs/security.md promises.

A whole service with shorter times; canaries in an account, a conversation, a temporary chat, a share, a file
and summaries.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from grokweb import erasure
from tests.grokweb.erasing import PASSWORD
from tests.grokweb.service import ROOT, Service, eventually

pytestmark = pytest.mark.faults
SHORT = {"GROKWEB_ERASURE_SECONDS": "2", "GROKWEB_LOG_KEEP_SECONDS": "2", "GROKWEB_DAILY_TOKENS": "10000000"}
CSRF = "x" * 32


class Person:
    def __init__(self, service: Service, email: str) -> None:
        self.service = service
        self.cookie = str(run_script(service, "invite", email)["cookie"])
        self.headers = {"Cookie": f"{self.cookie}; grokweb_csrf={CSRF}", "X-CSRFToken": CSRF}
        eventually(self.is_greeted, "a socket: the first model's card is written a moment after the start")

    def socket(self) -> ClientConnection:
        headers = {"Cookie": self.cookie, "Origin": f"http://127.0.0.1:{self.service.port}"}
        return connect(f"ws://127.0.0.1:{self.service.port}/ws/", additional_headers=headers)

    def is_greeted(self) -> bool:
        try:
            with self.socket() as socket:
                return json.loads(socket.recv(timeout=30))["type"] == "hello"
        except ConnectionClosed:
            return False

    def call(self, method: str, path: str, body: bytes = b"{}", kind: str = "application/json") -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.service.port}{path}",
            data=None if method in {"GET", "DELETE"} else body,
            headers={**self.headers, "Content-Type": kind},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            content = answer.read()
        return json.loads(content) if content.startswith(b"{") else content

    def say(self, text: str, **more: Any) -> str:
        """Creates a conversation with one answer. Returns its id."""
        question = {"type": "send", "conversation": None, "parent": None, "client_id": secrets.token_hex(8)}
        with self.socket() as socket:
            socket.send(json.dumps({**question, "content": text, **more}))
            conversation = ""
            while True:
                frame = json.loads(socket.recv(timeout=60))
                assert frame["type"] != "error", frame
                if frame["type"] == "ack":
                    conversation = frame["conversation"]["id"]
                if frame["type"] == "done":
                    return conversation

    def summarise(self, conversation: str, text: str) -> None:
        """Has the conversation summarised, and edits the summary."""
        messages = f"/api/conversations/{conversation}/messages/"
        answer = self.call("GET", messages)["messages"][-1]["id"]
        address = f"/api/messages/{answer}/summary/"
        self.call("POST", address)
        eventually(
            lambda: self.call("GET", messages)["messages"][-1]["summary"]["status"] == "ready",
            "the summary is written",
        )
        self.call("PATCH", address, json.dumps({"text": text}).encode())

    def upload(self, content: str) -> str:
        lines = [
            "--b",
            'Content-Disposition: form-data; name="file"; filename="notes.txt"',
            "",
            content,
            "--b--",
            "",
        ]
        body = "\r\n".join(lines).encode()
        pk = self.call("POST", "/api/files/", body, "multipart/form-data; boundary=b")["file"]["id"]
        eventually(
            lambda: self.call("GET", f"/api/files/{pk}/")["file"]["state"] == "ready", "the file is read"
        )
        return str(pk)


def run_script(service: Service, *arguments: str) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.grokweb.erasing", *arguments],
        cwd=ROOT,
        env={**service.environment, "REDIS_URL": (service.data / "run" / "redis.url").read_text().strip()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return answer


def places_of(word: str, *folders: Path) -> list[str]:
    """Returns the files that contain the end of the word: an index shares beginnings of words."""
    found = []
    for folder in folders:
        for path in folder.rglob("*"):
            try:
                if path.is_file() and word[2:].encode() in path.read_bytes():
                    found.append(str(path.relative_to(folder)))
            except FileNotFoundError:
                continue  # rewritten meanwhile
    return found


@pytest.fixture
def service(tmp_path: Path, service_database_url: str) -> Iterator[Service]:
    running = Service(tmp_path, DATABASE_URL=service_database_url, **SHORT)
    try:
        yield running.start().wait_until_ready()
    finally:
        running.close()


def test_erased_text_leaves_every_file_of_the_data_directory(service: Service, tmp_path: Path) -> None:
    kinds = ("account", "conversation", "temporary", "share", "file", "gist", "left", "kept")
    word = {kind: f"{secrets.token_hex(8)}{kind}" for kind in kinds}
    folder = tmp_path  # the data directory, and the database where it lies beside it
    leaver = Person(service, f"{word['account']}@example.org")
    leaver.say(f"remember {word['account']}")
    leaver.summarise(leaver.say("a long talk"), f"they spoke of {word['left']}")
    bob = Person(service, "bob@example.org")
    plain = bob.say(f"about {word['conversation']} and more")
    bob.summarise(plain, f"they spoke of {word['gist']}")
    bob.say(f"about {word['temporary']} and more", start={"temporary": True})
    shared = bob.say(f"about {word['share']} and more")
    link = bob.call("POST", f"/api/conversations/{shared}/share/")["share"]
    assert word["share"] in bob.call("GET", f"/s/{link['token']}/").decode()
    carrier = bob.say("Read this.", files=[bob.upload(f"a file about {word['file']}")])
    bob.say(f"this {word['kept']} stays")
    # With PostgreSQL only files stay here: what Redis has of the others may have been rewritten by now.
    for kind in ["file"] if service.environment["DATABASE_URL"].startswith("postgres") else kinds:
        eventually(lambda kind=kind: places_of(word[kind], folder), f"{kind} is somewhere")  # type: ignore[misc]

    form = f"password={PASSWORD.replace(' ', '+')}".encode()
    leaver.call("POST", "/settings/delete-account/", form, "application/x-www-form-urlencoded")
    bob.call("DELETE", f"/api/conversations/{plain}/")
    bob.call("DELETE", f"/api/conversations/{shared}/share/{link['token']}/")
    bob.call("DELETE", f"/api/conversations/{shared}/")
    bob.call("DELETE", f"/api/conversations/{carrier}/")
    eventually(lambda: run_script(service, "a_day_later")["left"] == 1, "the rows are gone")
    for kind in kinds[:-1]:
        eventually(lambda kind=kind: not places_of(word[kind], folder), f"{kind} is in no file")  # type: ignore[misc]
    if not service.environment["DATABASE_URL"].startswith("postgres"):
        assert places_of(word["kept"], folder)
    assert service.is_ready()


def test_expired_text_leaves_the_redis_file_without_an_erasure(service: Service) -> None:
    """The log of a reply expires by itself; its copy on disk disappears, too."""
    word = secrets.token_hex(16)
    Person(service, "carol@example.org").say(f"echo:{word}")
    assert places_of(word, service.data / "redis")
    eventually(lambda: not places_of(word, service.data / "redis"), "the log is in no file of Redis")


def test_an_operators_own_redis_is_left_alone(settings: Any, tmp_path: Path) -> None:
    """Rewrites happen only on the server that `up` started for this data directory."""
    settings.RUN_DIR = tmp_path
    settings.REDIS_URL = "redis://:secret@redis.example.org:6379/0"
    assert not erasure.is_embedded()
    (tmp_path / "redis.url").write_text("redis://:other@127.0.0.1:20001/0\n")
    assert not erasure.is_embedded()
    (tmp_path / "redis.url").write_text(f"{settings.REDIS_URL}\n")
    assert erasure.is_embedded()
