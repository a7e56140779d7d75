"""Tests with real transactions leave what Django's flush leaves."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from chat.accounts.models import User
from chat.staff import groups
from tests import emptying

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def flushed(transactional_db: None) -> None:
    emptying.DJANGOS_TEARDOWN(_Case())
    emptying.LEFT["default"] = emptying.rows(connection)


class _Case:
    """Has the attributes of a TransactionTestCase that its teardown reads."""

    available_apps = None
    serialized_rollback = False

    def _databases_names(self, include_mirrors: bool) -> list[str]:
        return ["default"]


def test_rows_of_a_test_are_deleted_and_those_of_a_flush_stay() -> None:
    person = User.objects.create_user("somebody@example.org", "a long password")
    person.groups.set(Group.objects.all())
    assert emptying.empty(connection)
    assert not User.objects.exists()
    assert ContentType.objects.exists()
    assert emptying.rows(connection) == emptying.LEFT["default"]


@pytest.mark.parametrize("change", ["added", "deleted", "renamed"])
def test_a_changed_row_of_a_flush_requires_a_flush(change: str) -> None:
    if change == "added":
        Group.objects.create(name="others")
    elif change == "deleted":
        Group.objects.all().delete()
    else:
        Group.objects.update(name="others")
    User.objects.create_user("somebody@example.org", "a long password")
    assert not emptying.empty(connection)
    emptying.after_test(_Case())  # type: ignore[arg-type]
    assert not User.objects.exists()
    assert [group.name for group in Group.objects.all()] == [groups.MODERATORS]
