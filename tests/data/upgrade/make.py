"""Makes the files of this folder; run it with the checkout of an older commit as the current directory.

`PYTHONPATH=. python .../tests/data/upgrade/make.py OUTPUT [postgres://…/empty_database]`

The older code itself starts the service, fills it and is killed in the middle of a reply. What it leaves is
written as text: `sqlite.sql` and `sqlite.redis`, or `postgresql.sql` and `postgresql.redis`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCRIPT = "slow:120:100"  # the scripted engine answers w1 … w120, one word every 100 ms
HALF_WRITTEN = 20  # words, at least, when the service is killed
PASSWORD = "a long password"
ENVIRONMENT = {
    "GROKWEB_SLOTS": "2",
    "GROKWEB_DAILY_TOKENS": "100000",
    "GROKWEB_ADMIN_EMAIL": "root@example.org",
    "GROKWEB_ADMIN_PASSWORD": PASSWORD,
}


def main(output: Path, database_url: str) -> None:
    from tests.faults.client import Crowd
    from tests.grokweb.service import Service, eventually

    folder = Path(tempfile.mkdtemp(prefix="upgrade-"))
    kind = "postgresql" if database_url else "sqlite"
    extra = {"DATABASE_URL": database_url} if database_url else {}
    service = Service(folder, **ENVIRONMENT, **extra)
    # Without these two nobody finishes the deletion that has begun.
    service.start("--without=jobs-worker", "--without=beat").wait_until_ready()
    try:
        cookie = in_service(service, "fill")["cookie"]
        crowd = Crowd(service.port, [cookie]).wait_until_connected()
        [reply] = crowd.ask(SCRIPT)
        eventually(lambda: reply.seq >= HALF_WRITTEN, "half of the reply")
        for name in ("model-worker", "chat-worker", "web"):
            os.kill(service.pid(name), signal.SIGKILL)
    finally:
        service.close()  # waits until Redis, which ends with its parent, has ended
    crowd.close()
    assert reply.done is None, "the reply was complete before the service was killed"
    write_lines(output / f"{kind}.redis", redis_commands(service.data / "redis"))
    if database_url:
        dump = ["pg_dump", "--inserts", "--no-owner", "--no-privileges", "--no-comments", database_url]
        text = subprocess.run(dump, check=True, capture_output=True, text=True).stdout
        lines = [line for line in text.splitlines() if line and not line.startswith(("--", "\\"))]
        write_lines(output / f"{kind}.sql", lines)
    else:
        write_lines(output / f"{kind}.sql", sqlite_dump(service.data / "grokweb.sqlite3"))
    shutil.rmtree(folder)
    print(f"{kind}: killed after {reply.seq} of {SCRIPT}")  # noqa: T201 - a program's answer


def write_lines(path: Path, lines: Any) -> None:
    path.write_text("".join(f"{line}\n" for line in lines))


def in_service(service: Any, name: str) -> dict[str, Any]:
    """Runs one of the functions below in a process of its own, in the service's environment."""
    ran = subprocess.run(
        [sys.executable, __file__, name],
        env={**service.environment, "PYTHONPATH": str(Path.cwd())},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    answer: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return answer


def fill() -> dict[str, Any]:
    """Stores something of everything that the upgrade renames, through the services of that release."""
    from allauth.account.models import EmailAddress
    from chat.leaving import services as leaving
    from chat.voice import services as voice
    from chat.voice.models import Persona
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import Group, Permission
    from django.contrib.sessions.backends.db import SessionStore

    from chat.accounts.models import User
    from chat.conversations import services as conversations
    from chat.conversations.models import Message, ModelCard, Role
    from chat.core import audit
    from chat.feedback import services as feedback
    from chat.sharing import services as sharing

    root = User.objects.get(email="root@example.org")
    model, _ = ModelCard.objects.get_or_create(
        slug="scripted", defaults={"name": "Scripted", "is_default": True}
    )
    alice = User.objects.create_user("alice@example.org", PASSWORD, display_name="Alice")
    bob = User.objects.create_user("bob@example.org", PASSWORD)
    EmailAddress.objects.create(user=alice, email=alice.email, verified=True, primary=True)

    persona = voice.save_persona(owner=alice, name="Librarian", prompt="You keep the saffron ledger.")
    voice.save_prompt(owner=alice, name="Translate", text="Translate into {{language}}: {{text}}")
    voice.save_instructions(user=alice, about="I bind books.", manner="Be brief.", active=True)

    talk = conversations.new_conversation(owner=alice, model=model, title="Ledger")
    voice.choose(talk, persona=persona, settings={"temperature": 0.5, "seed": 7})
    asked = Message.objects.create(conversation=talk, role=Role.USER, text="Where is it?", author=alice)
    answer = Message.objects.create(
        conversation=talk, parent=asked, role=Role.ASSISTANT, text="In the archive."
    )
    conversations.set_leaf(alice, answer)
    feedback.judge(person=alice, message=answer, value=1, reason="clear", note="Well put.")
    share = sharing.create_share(conversation=talk, owner=alice)

    helpers = Group.objects.create(name="helpers")
    helpers.permissions.add(
        Permission.objects.get(content_type__app_label="voice", codename="view_persona"),
        Permission.objects.get(content_type__app_label="voice", codename="change_manner"),
    )
    site = Persona.objects.filter(owner=None).first()
    audit.record(root, "change persona", audit.on_model(site), fields=["prompt"])
    audit.record(root, "read conversation", audit.on_model(talk), owner=audit.on_model(alice), page=1)

    gone = conversations.new_conversation(owner=bob, model=model, title="Bob's")
    Message.objects.create(conversation=gone, role=Role.USER, text="Delete me.", author=bob)
    leaving.leave(user=bob, password=PASSWORD)
    audit.record(root, "change departure", f"departure:{bob.departure.pk}")

    session = SessionStore()
    session[SESSION_KEY] = str(alice.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = alice.get_session_auth_hash()
    session.save()
    return {"cookie": f"{settings.SESSION_COOKIE_NAME}={session.session_key}", "share": share.token}


# --- As text ----------------------------------------------------------------------------------------------


def sqlite_dump(path: Path) -> Iterator[str]:
    """Yields statements that make the database again; rows of FTS5 go through its virtual table."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint")
    rows = connection.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
        " AND name NOT LIKE 'search\\_words\\_%' ESCAPE '\\'"
        " ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 2 ELSE 3 END, name"
    ).fetchall()
    later = []
    for kind, name, sql in rows:
        if kind != "table":
            later.append(sql + ";")
            continue
        yield f"{sql};"
        columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{name}")')]
        if name == "search_words":
            columns = ["rowid", *columns]
        names = ", ".join(f'"{each}"' for each in columns)
        quoted = ", ".join(f'quote("{each}")' for each in columns)
        for row in connection.execute(f'SELECT {quoted} FROM "{name}"'):  # noqa: S608 - names of the schema
            yield f'INSERT INTO "{name}" ({names}) VALUES ({", ".join(row)});'
    yield from later
    for name, number in connection.execute("SELECT name, seq FROM sqlite_sequence"):
        yield f"INSERT OR REPLACE INTO sqlite_sequence (name, seq) VALUES ('{name}', {number});"


def redis_commands(folder: Path) -> Iterator[str]:
    """The commands of the append-only file, one JSON list a line; the first line is the time in ms."""
    yield json.dumps(["TIME", int(time.time() * 1000)])
    for path in sorted(folder.glob("**/*.incr.aof")):
        raw = path.read_bytes()
        at = 0
        while at < len(raw):
            end = raw.index(b"\r\n", at)
            if raw[at : at + 1] == b"#":  # an annotation
                at = end + 2
                continue
            count, at = int(raw[at + 1 : end]), end + 2
            words = []
            for _ in range(count):
                end = raw.index(b"\r\n", at)
                length, at = int(raw[at + 1 : end]), end + 2
                words.append(raw[at : at + length].decode())
                at += length + 2
            yield json.dumps(words, ensure_ascii=False)


if __name__ == "__main__":
    if sys.argv[1:] == ["fill"]:
        import django

        os.environ["DJANGO_SETTINGS_MODULE"] = "grokweb.settings"
        django.setup()
        print(json.dumps(fill()))  # noqa: T201
    else:
        main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
