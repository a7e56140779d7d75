"""The chain of staff actions: whole however many write, and any tampering is found."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.urls import reverse

from chat.accounts import services
from chat.core import audit
from chat.core.models import StaffAction
from tests.chat.cast import Cast


@pytest.fixture
def chain(cast: Cast) -> list[Any]:
    return [
        audit.record(cast.staff, "look", f"thing:{n}", number=n, words="é\x00", id=uuid4()) for n in range(5)
    ]


def tamper(statement: str, *values: Any) -> None:
    """Changes a row with the database's own tools, bypassing the model."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_a_chain_is_whole(chain: list[Any]) -> None:
    assert audit.verify() is None
    first, *rest = StaffAction.objects.order_by("pk")
    assert first.previous == audit.GENESIS
    assert [row.previous for row in rest] == [row.seal for row in [first, *rest][:-1]]


def test_an_empty_chain_is_whole(db: None) -> None:
    assert audit.verify() is None


@pytest.mark.parametrize(
    "change",
    [
        "verb = 'nothing'",
        "target = 'other:1'",
        "actor_email = 'bob@example.org'",
        "detail = '{\"number\": 9}'",
    ],
)
def test_a_changed_row_is_found(chain: list[Any], change: str) -> None:
    tamper(f"UPDATE core_staffaction SET {change} WHERE id = %s", chain[2].pk)
    assert audit.verify() == chain[2].pk


def test_a_removed_row_is_found(chain: list[Any]) -> None:
    tamper("DELETE FROM core_staffaction WHERE id = %s", chain[2].pk)
    assert audit.verify() == chain[3].pk


def test_a_removed_beginning_is_found(chain: list[Any]) -> None:
    tamper("DELETE FROM core_staffaction WHERE id = %s", chain[0].pk)
    assert audit.verify() == chain[1].pk


def test_the_model_refuses_to_rewrite_history(chain: list[Any]) -> None:
    row = StaffAction.objects.get(pk=chain[1].pk)
    row.verb = "nothing"
    for attempt in (
        row.save,
        row.delete,
        StaffAction.objects.all().delete,
        lambda: StaffAction.objects.update(verb="nothing"),
    ):
        with pytest.raises(TypeError, match="append-only"):
            attempt()
    assert audit.verify() is None
    assert StaffAction.objects.count() == 5


def test_the_record_outlives_its_writer(cast: Cast, chain: list[Any]) -> None:
    admin = services.create_user(email="root@example.org", is_superuser=True)
    cast.staff.delete()
    row = StaffAction.objects.get(pk=chain[0].pk)
    assert row.actor is None
    assert row.actor_email == "staff@example.org"
    audit.record(admin, "look", "thing:6")
    assert audit.verify() is None


def test_a_deed_that_fails_leaves_no_record(cast: Cast) -> None:
    def deed() -> None:
        with transaction.atomic():
            audit.record(cast.staff, "look", "thing:1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        deed()
    assert not StaffAction.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_writers_make_one_chain(cast: Cast) -> None:
    start = threading.Barrier(6)
    failures = []

    def write(number: int) -> None:
        try:
            start.wait()
            for n in range(5):
                with transaction.atomic():
                    audit.record(cast.staff, "look", f"thing:{number}:{n}")
        except Exception as error:  # noqa: BLE001 - shown by the assert below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert StaffAction.objects.count() == 30
    assert audit.verify() is None


def test_names_of_an_older_release_are_shown_as_todays_and_found_by_both(cast: Cast) -> None:
    audit.record(None, "leave", "user:1")
    audit.record(cast.staff, "change", "departure:7")
    audit.record(cast.staff, "change", "user:2")
    page = reverse("admin:core_staffaction_changelist")
    client = cast.client("staff")
    for search, targets in (
        ("delete own account", ["user:1"]),
        ("leave", ["user:1"]),
        ("deletionjob", ["departure:7"]),
        ("departure", ["departure:7"]),
    ):
        found = client.get(page, {"q": search}).context["cl"].result_list
        assert [row.target for row in found] == targets, search
    text = client.get(page).content.decode()
    assert "delete own account" in text
    assert "deletionjob:7" in text
    assert audit.verify() is None
