"""Tests the migrations of files, forwards and backwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection

from chat.files.models import Attachment, File
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _latest() -> Iterator[None]:
    yield
    call_command("migrate", verbosity=0)


def rows(sql: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()]


def test_renamed_columns_keep_their_values_in_both_directions(cast: Cast) -> None:
    message = talk(cast.alice, "Hi").messages.get()
    file = File.objects.create(owner=cast.alice, name="a", kind="text", size=1, failure_reason="locked")
    Attachment.objects.create(message=message, file=file, position=3)
    call_command("migrate", "files", "0002", verbosity=0)
    assert rows("SELECT trouble FROM files_file") == [("locked",)]
    assert rows("SELECT place FROM files_attachment") == [(3,)]
    call_command("migrate", "files", verbosity=0)
    assert File.objects.get().failure_reason == "locked"
    assert Attachment.objects.get().position == 3
