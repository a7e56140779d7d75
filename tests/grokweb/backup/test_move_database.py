"""`manage.py move_database`: every row of every table, and the audit chain, from SQLite to PostgreSQL."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.grokweb.backup.installation import Installation
from tests.grokweb.service import ROOT

pytestmark = pytest.mark.faults
needs_postgresql = pytest.mark.skipif(
    not os.environ.get("DATABASE_URL", "").startswith("postgres"),
    reason="needs a PostgreSQL server to move to",
)

READ = """
import json, sys, django
django.setup()
from django.db import connection
from chat.core import audit
from chat.search.models import Entry
from tests.grokweb.backup.every_model import all_models
told = {"chain": audit.verify(), "tables": {}}
for model in all_models():
    if model._meta.db_table == "search_entry" or model._meta.proxy:
        continue
    names = sorted(field.attname for field in model._meta.concrete_fields)
    rows = [[value if isinstance(value, (dict, list)) else repr(value) for value in row]
            for row in model._base_manager.values_list(*names)]
    rows.sort(key=lambda row: [value for value in row if isinstance(value, str)])
    told["tables"][model._meta.db_table] = rows
told["search"] = sorted(str(pk) for pk in Entry.objects.values_list("message_id", flat=True))
print(json.dumps(told))
"""
WRITE_ON = """
import json, django
django.setup()
from chat.core import audit
from tests.grokweb.backup.every_model import _make, all_models
audit.record(None, "after", "row:9")
for model in all_models():
    pk = model._meta.pk
    if pk.get_internal_type() in ("AutoField", "BigAutoField") and model._meta.label not in (
        "core.StaffAction", "contenttypes.ContentType", "auth.Permission", "auth.Group"
    ) and not model._meta.auto_created:
        _make(model)
print(json.dumps({"chain": audit.verify()}))
"""


def asked(home: Installation, code: str, **environment: str) -> dict[str, Any]:
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**home.environment, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return answer


def digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


@pytest.fixture
def old(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "old")


@needs_postgresql
def test_everything_is_moved_and_the_audit_chain_verifies(old: Installation, empty_database_url: str) -> None:
    result = old.filled()
    fill = [sys.executable, "-m", "tests.grokweb.backup.every_model"]
    subprocess.run(fill, cwd=ROOT, env=old.environment, check=True, timeout=120)
    before = asked(old, READ)
    assert before["chain"] is None
    assert all(before["tables"].values()), [name for name, rows in before["tables"].items() if not rows]
    assert "123457" in json.dumps(before)
    untouched = digest(old.sqlite)

    said = old.done("move_database", "--to", empty_database_url)
    assert "both databases hold the same" in said
    assert digest(old.sqlite) == untouched
    after = asked(old, READ, DATABASE_URL=empty_database_url)
    assert after["tables"].keys() == before["tables"].keys()
    for table, rows in before["tables"].items():
        assert after["tables"][table] == rows, table
    assert after == before

    assert asked(old, WRITE_ON, DATABASE_URL=empty_database_url)["chain"] is None  # numbers go on
    old.environment["DATABASE_URL"] = empty_database_url
    try:
        old.shows(result)
    finally:
        old.close()


@needs_postgresql
def test_characters_that_postgresql_refuses_are_replaced_and_named(
    old: Installation, empty_database_url: str
) -> None:
    old.filled()
    code = (
        "import django; django.setup(); from tests.grokweb.backup.every_model import with_nul; with_nul();"
        "print('{}')"
    )
    asked(old, code)
    ran = old.manage("move_database", "--to", empty_database_url)
    assert ran.returncode == 0, ran.stderr
    assert "conversations_message.text: 1 values" in ran.stderr
    texts = json.dumps(asked(old, READ, DATABASE_URL=empty_database_url)["tables"]["conversations_message"])
    assert "before\\ufffdafter" in texts


@needs_postgresql
def test_a_target_in_use_is_refused_and_a_failure_leaves_it_empty(
    old: Installation, empty_database_url: str, tmp_path: Path
) -> None:
    import psycopg

    old.filled()
    too_long = (
        "import django; django.setup(); from django.db import connection as c;"
        "c.cursor().execute(\"UPDATE conversations_conversation SET title = printf('%.200c', 'x')\");"
        "print('{}')"
    )
    asked(old, too_long)
    said = old.refused("move_database", "--to", empty_database_url)
    assert "conversations_conversation cannot be copied: value too long" in said
    with psycopg.connect(empty_database_url) as connection:
        assert connection.execute("SELECT count(*) FROM accounts_user").fetchone() == (0,)
    asked(old, too_long.replace("printf('%.200c', 'x')", "'short'"))
    old.done("move_database", "--to", empty_database_url)  # the same command, once the row fits
    assert "must be empty" in old.refused("move_database", "--to", empty_database_url)


def test_move_database_refuses_unsuitable_addresses(old: Installation) -> None:
    old.filled()
    assert "--to needs an address" in old.refused("move_database", "--to", "sqlite:///elsewhere")
    assert "does not answer" in old.refused("move_database", "--to", "postgres://a:b@127.0.0.1:1/none")
    old.serve()
    try:
        said = old.refused("move_database", "--to", "postgres://a:b@127.0.0.1:1/none")
        assert "already runs" in said
    finally:
        old.stop()
        old.close()
