"""Provides an installation of an older release (tests/data/upgrade), on SQLite or PostgreSQL."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from tests.grokweb.backup.installation import Installation

HERE = Path(__file__).resolve().parents[1] / "data" / "upgrade"
FIRST_WORD, MARKED = (
    "w1 ",
    "W1 ",
)  # the marked word shows at the end that the half-written reply was continued


class OlderInstallation(Installation):
    """Has the database and the Redis file of the moment in which everything was killed."""

    def __init__(self, folder: Path, database_url: str) -> None:
        super().__init__(folder, database_url)
        self.kind = "sqlite" if self.sqlite else "postgresql"
        self.data.mkdir(mode=0o700, parents=True)
        statements = (HERE / f"{self.kind}.sql").read_text()
        if self.sqlite:
            connection = sqlite3.connect(self.sqlite)
            connection.executescript(statements)
            connection.close()
        else:
            import psycopg

            with psycopg.connect(database_url) as target:
                target.execute(statements)
        self._write_redis()

    def _write_redis(self) -> None:
        folder = self.data / "redis" / "appendonlydir"
        folder.mkdir(mode=0o700, parents=True)
        name = "appendonly.aof.1.incr.aof"
        (folder / "appendonly.aof.manifest").write_text(f"file {name} seq 1 type i\n")
        first, *commands = map(json.loads, (HERE / f"{self.kind}.redis").read_text().splitlines())
        later = int(time.time() * 1000) - int(first[1])  # what had not expired then has not expired now
        with (folder / name).open("wb") as file:
            for command in commands:
                file.write(resp([_moved(command, place, later) for place in range(len(command))]))

    def read(self) -> dict[str, Any]:  # type: ignore[override]
        """Returns what today's code finds in the database (`found` below)."""
        return self.run_module("tests.grokweb.older_release", "found")


def _moved(command: list[str], place: int, later: int) -> str:
    word = command[place]
    if command[0] == "XADD" and word == FIRST_WORD:
        return MARKED
    is_expiry = (command[0] == "PEXPIREAT" and place == 2) or command[place - 1] == "PXAT"
    return str(int(word) + later) if is_expiry else word


def resp(words: list[str]) -> bytes:
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


# --- In a process of the installation ---------------------------------------------------------------------


def found() -> dict[str, Any]:
    from django.contrib.auth.models import Group, Permission
    from django.contrib.contenttypes.models import ContentType

    from chat.accounts.models import User
    from chat.conversations.models import Conversation, Message
    from chat.core import audit
    from chat.core.models import StaffAction
    from chat.feedback.models import Feedback
    from chat.sharing.models import Share
    from tests.grokweb.backup.installation import _cookie

    alice = User.objects.get(email="alice@example.org")
    reply = Message.objects.get(conversation__owner=alice, parent__text__startswith="slow:")
    talk = Conversation.objects.get(owner=alice, title="Ledger")
    return {
        "cookie": _cookie(alice),
        "talk": str(talk.pk),
        "reply": {"status": reply.status, "text": reply.text, "attempt": reply.steps.get().attempt},
        "people": sorted(User.objects.values_list("email", flat=True)),
        "chain_broken_at": audit.verify(),
        "audit": list(StaffAction.objects.order_by("pk").values_list("verb", flat=True)),
        "feedback": list(Feedback.objects.values_list("value", "reason", "note")),
        "share": Share.objects.get().token,
        "helpers": sorted(
            f"{each.content_type.app_label}.{each.codename}"
            for each in Group.objects.get(name="helpers").permissions.select_related("content_type")
        ),
        "content_types_without_model": [
            str(each) for each in ContentType.objects.all() if each.model_class() is None
        ],
        "permissions_without_model": [
            each.codename
            for each in Permission.objects.select_related("content_type")
            if not each.codename.endswith(each.content_type.model)
        ],
    }


def shape() -> dict[str, Any]:
    """Returns tables with their columns, and how many indexes and constraints each has of which columns."""
    from django.apps import apps
    from django.db import connection

    result: dict[str, Any] = {}
    with connection.cursor() as cursor:
        known = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
        tables = set(connection.introspection.table_names(cursor))
        for table in sorted(known):
            columns = connection.introspection.get_table_description(cursor, table)
            constraints = connection.introspection.get_constraints(cursor, table)
            result[table] = {
                "columns": sorted(f"{each.name} {each.type_code} {each.null_ok}" for each in columns),
                "constraints": sorted(
                    f"{_plain_name(name)} {each['columns']} {each['unique']} {each['foreign_key']}"
                    for name, each in constraints.items()
                ),
            }
        result["others"] = sorted(tables - known)
    return result


def _plain_name(name: str) -> str:
    """Returns the name without the hash that Django adds."""
    return "_".join(part for part in name.split("_") if not (len(part) == 8 and _is_hex(part)))


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdef" for character in text)


if __name__ == "__main__":
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "grokweb.settings"
    django.setup()
    print(json.dumps({"found": found, "shape": shape}[sys.argv[1]]()))
