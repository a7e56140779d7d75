"""Copies made before there were pages are cut into pages, and come back whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.utils import timezone

from chat.conversations.models import Conversation
from tests.chat.cast import Cast
from tests.chat.conversations.building import talk

LONG = "word " * 20_000
COPY = [
    {"id": "00000000-0000-4000-8000-000000000001", "role": "user", "text": "Hi", "files": ["a.txt"]},
    {"id": "00000000-0000-4000-8000-000000000002", "role": "assistant", "text": LONG},
    {"id": "00000000-0000-4000-8000-000000000003", "role": "user", "text": ""},
]


@pytest.fixture
def back_at_the_end() -> Iterator[None]:
    yield
    call_command("migrate", verbosity=0)


def models_at(name: str) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate([("sharing", name)])
    return MigrationExecutor(connection).loader.project_state([("sharing", name)]).apps


@pytest.mark.django_db(transaction=True)
def test_shares_survive_the_migrations_there_and_back(cast: Cast, back_at_the_end: None) -> None:
    conversation = talk(cast.alice, "Hi", "Hello")
    keys = {"conversation_id": conversation.pk, "owner_id": cast.alice.pk, "title": "A talk"}
    old = models_at("0001_initial").get_model("sharing", "Share")
    kept = old.objects.create(**keys, snapshot=COPY, token="open").pk
    taken = old.objects.create(**keys, snapshot=COPY, token="taken", taken_down_at=timezone.now()).pk
    gone = old.objects.create(**keys, snapshot=[], token="gone", revoked_at=timezone.now()).pk

    new = models_at("0004_drop_whole_copy")
    share = new.get_model("sharing", "Share").objects.get(pk=kept)
    pages = list(new.get_model("sharing", "SharePage").objects.filter(share=share).order_by("number"))
    assert share.page_count == len(pages) == 4
    assert "".join(each["text"] for page in pages for each in page.messages) == f"Hi{LONG}"
    assert [each.share_id for each in new.get_model("sharing", "TakeDown").objects.all()] == [taken]
    assert new.get_model("sharing", "Share").objects.get(pk=gone).title == ""
    call_command("migrate", verbosity=0)
    assert Client().get("/s/open/?page=2").status_code == 200
    alice = cast.client("alice")
    refused = alice.post(
        f"/api/conversations/{Conversation.objects.get().pk}/share/", "{}", content_type="application/json"
    )
    assert refused.json()["error"]["code"] == "taken_down"

    old = models_at("0001_initial").get_model("sharing", "Share")
    assert old.objects.get(pk=kept).snapshot == COPY
    assert old.objects.get(pk=gone).snapshot == []
