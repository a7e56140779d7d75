"""Provides an installation on disk, filled without a running service and read through one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.grokweb.service import ROOT, Service

FILE = b"Notes that only a file holds.\n" * 50
QUESTION, ANSWER = "What does the saffron ledger say?", "It says seventeen."
PARTS = [f"--without={name}" for name in ("model-worker", "chat-worker", "jobs-worker", "beat")]


class Installation(Service):
    """Uses SQLite in the data directory, or the given PostgreSQL database."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        extra = {"DATABASE_URL": database_url} if database_url.startswith("postgres") else {}
        super().__init__(folder, **extra)
        self.sqlite = "" if extra else str(self.data / "grokweb.sqlite3")

    def manage(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    def done(self, *arguments: str) -> str:
        """Runs a command that must succeed. Returns its output."""
        ran = self.manage(*arguments)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    def refused(self, *arguments: str) -> str:
        """Runs a command that must refuse in one line, without a traceback. Returns the line."""
        ran = self.manage(*arguments)
        assert ran.returncode == 1, ran.stdout + ran.stderr
        assert ran.stderr.startswith("CommandError: "), ran.stderr
        assert len(ran.stderr.strip().splitlines()) == 1, ran.stderr
        return ran.stderr

    def run(self, name: str) -> dict[str, Any]:
        """Runs one of the functions below in a process of this installation."""
        return self.run_module("tests.grokweb.backup.installation", name)

    def run_module(self, module: str, *arguments: str) -> dict[str, Any]:
        """Runs a module in the environment of this installation; returns the JSON of its last line."""
        ran = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        answer: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
        return answer

    def filled(self) -> dict[str, Any]:
        if self.sqlite and not self.data.exists():
            self.with_tables()
        self.done("prepare")
        return self.run("fill")

    def serve(self) -> None:
        self.lines.clear()  # of an earlier run
        self.start(*PARTS).wait_until_ready()

    def read(self, found: dict[str, Any]) -> tuple[list[str], bytes]:
        """Returns the conversation's texts and its file's bytes, as the owner's browser gets them."""
        status, page = self.get(
            f"/api/conversations/{found['conversation']}/messages/", Cookie=found["cookie"]
        )
        assert status == 200, page
        texts = [message["text"] for message in json.loads(page)["messages"]]
        status, content = self.get(f"/api/files/{found['file']}/original/", Cookie=found["cookie"])
        assert status == 200, content
        return texts, content.encode()

    def shows(self, found: dict[str, Any]) -> None:
        """Starts the service and checks that the old session can read the conversation with its file."""
        self.serve()
        assert self.read(found) == ([QUESTION, ANSWER], FILE)
        self.stop()

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        assert self.ended() == 0


def fill() -> dict[str, Any]:
    from io import BytesIO

    from chat.accounts.models import User
    from chat.conversations.branches import set_leaf
    from chat.conversations.lifecycle import create_conversation
    from chat.conversations.models import Message, Role
    from chat.files import attaching, uploading
    from chat.files.models import Kind, State
    from chat.model_cards.models import ModelCard
    from chat.model_cards.selection import default_model

    alice = User.objects.create_user("alice@example.org", "a long password")
    ModelCard.objects.get_or_create(slug="scripted", defaults={"name": "Scripted", "is_default": True})
    talk = create_conversation(owner=alice, model=default_model(), title="Ledger")
    asked = Message.objects.create(conversation=talk, role=Role.USER, text=QUESTION, author=alice)
    answer = Message.objects.create(conversation=talk, parent=asked, role=Role.ASSISTANT, text=ANSWER)
    set_leaf(alice, answer)
    file = uploading.store(owner=alice, content=BytesIO(FILE), name="notes.txt", size=len(FILE))
    type(file).objects.filter(pk=file.pk).update(state=State.READY, kind=Kind.TEXT, text=FILE.decode())
    attaching.attach(asked, [file])
    return {
        "cookie": _cookie(alice),
        "conversation": str(talk.pk),
        "file": str(file.pk),
        "stored": file.stored,
    }


def _cookie(user: Any) -> str:
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def newer() -> dict[str, Any]:
    """Changes the database as if a later version had migrated it."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE core_later (id integer PRIMARY KEY)")
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('core', '9999_later', '2030-01-01 00:00:00')"
        )
    return {}


def lose() -> dict[str, Any]:
    """Deletes everything of Alice and adds another person."""
    from chat.accounts.models import User

    User.objects.filter(email="alice@example.org").delete()
    User.objects.create_user("mallory@example.org", "a long password")
    return {}


def emails() -> dict[str, Any]:
    from chat.accounts.models import User

    return {"emails": sorted(User.objects.values_list("email", flat=True))}


if __name__ == "__main__":
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "grokweb.settings"
    django.setup()
    chosen = {"fill": fill, "newer": newer, "lose": lose, "emails": emails}[sys.argv[1]]
    print(json.dumps(chosen()))
