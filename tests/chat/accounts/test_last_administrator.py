"""The last administrator who can log in stays one, whichever way they or a colleague try."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F
from django.test import Client

from chat.accounts import services
from chat.accounts.models import User
from tests.chat.at_once import at_once
from tests.chat.cast import PASSWORD

pytestmark = [pytest.mark.django_db(transaction=True)]

ONLY = "is the only administrator who can log in"
RIGHTS = ("is_active", "is_staff", "is_superuser")


@pytest.fixture
def second(cast: Any) -> User:
    return services.create_user(email="second@example.org", password=PASSWORD, is_superuser=True)


def page_of(person: User, door: str) -> str:
    return f"/admin/accounts/user/{person.pk}/{door}/"


def without(person: User, *rights: str) -> dict[str, str]:
    """The form of a person, with all rights but these."""
    kept = {name: "on" for name in RIGHTS if name not in rights}
    return {"email": person.email, "display_name": person.display_name, "language": "", **kept}


def logged_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def able() -> int:
    return User.objects.filter(
        is_active=True, is_staff=True, is_superuser=True, suspended_at=None, email__contains="@example.org"
    ).count()


@pytest.mark.parametrize("right", RIGHTS)
def test_the_last_administrator_keeps_their_rights(cast: Any, right: str) -> None:
    answer = cast.client("staff").post(page_of(cast.staff, "change"), without(cast.staff, right))
    assert answer.status_code == 200
    assert ONLY in answer.content.decode()
    cast.staff.refresh_from_db()
    assert getattr(cast.staff, right)


@pytest.mark.parametrize("right", RIGHTS)
def test_one_of_two_may_go(cast: Any, second: User, right: str) -> None:
    answer = cast.client("staff").post(page_of(cast.staff, "change"), without(cast.staff, right))
    assert answer.status_code == 302
    cast.staff.refresh_from_db()
    assert not getattr(cast.staff, right)


UNABLE: dict[str, Callable[[User], Any]] = {
    "is suspended": lambda person: User.objects.filter(pk=person.pk).update(suspended_at=F("date_joined")),
    "is not active": lambda person: User.objects.filter(pk=person.pk).update(is_active=False),
    "does not come into the admin": lambda person: User.objects.filter(pk=person.pk).update(is_staff=False),
    "has no password": lambda person: User.objects.filter(pk=person.pk).update(password="!"),
}


@pytest.mark.parametrize("why", UNABLE)
def test_a_second_one_who_cannot_log_in_does_not_count(cast: Any, second: User, why: str) -> None:
    UNABLE[why](second)
    answer = cast.client("staff").post(page_of(cast.staff, "change"), without(cast.staff, "is_superuser"))
    assert ONLY in answer.content.decode()
    leaving = cast.client("staff").post("/settings/delete-account/", {"password": PASSWORD})
    assert leaving.status_code == 403
    assert able() >= 1


def test_the_last_administrator_keeps_a_password(cast: Any, second: User) -> None:
    form = {"usable_password": "false", "unset-password": "x"}
    assert cast.client("staff").post(page_of(second, "password"), form).status_code == 302
    answer = cast.client("staff").post(page_of(cast.staff, "password"), form)
    assert ONLY in answer.content.decode()
    cast.staff.refresh_from_db()
    assert cast.staff.has_usable_password()
    changed = {"password1": "another horse battery", "password2": "another horse battery"}
    answer = cast.client("staff").post(
        page_of(cast.staff, "password"), {**changed, "usable_password": "true"}
    )
    assert answer.status_code == 302


def test_nobody_deletes_or_suspends_themselves(cast: Any) -> None:
    client = cast.client("staff")
    assert client.post(page_of(cast.staff, "delete"), {"post": "yes"}).status_code == 403
    answer = client.post(page_of(cast.staff, "suspend"), {"reason": "x"})
    assert "You cannot do this to yourself" in answer.content.decode()
    bulk = {"action": "delete_selected", "_selected_action": [str(cast.staff.pk)], "post": "yes"}
    client.post("/admin/accounts/user/", bulk)
    assert able() == 1


def demote(client: Client, person: User) -> Callable[[], Any]:
    return lambda: client.post(page_of(person, "change"), without(person, "is_superuser"))


def suspend(client: Client, person: User) -> Callable[[], Any]:
    """The page is open before the deed."""
    page = client.get(page_of(person, "suspend")).content.decode()
    seen = re.search(r'name="seen" value="(\d+)"', page)
    assert seen
    return lambda: client.post(page_of(person, "suspend"), {"reason": "x", "seen": seen[1]})


@pytest.mark.parametrize("deed", [demote, suspend])
def test_two_who_act_on_each_other_at_once_leave_one(
    cast: Any, second: User, deed: Callable[[Client, User], Callable[[], Any]]
) -> None:
    for _ in range(3):
        User.objects.filter(pk__in=[cast.staff.pk, second.pk]).update(
            is_superuser=True, suspended_at=None, suspension_reason=""
        )
        one, other = logged_in(cast.staff), logged_in(second)
        at_once(deed(one, second), deed(other, cast.staff))
        assert able() == 1


def test_two_who_step_down_at_once_leave_one(cast: Any, second: User) -> None:
    for _ in range(3):
        User.objects.filter(pk__in=[cast.staff.pk, second.pk]).update(is_superuser=True)
        one, other = logged_in(cast.staff), logged_in(second)
        answers = at_once(demote(one, cast.staff), demote(other, second))
        assert sorted(answer.status_code for answer in answers) == [200, 302]
        assert able() == 1


def test_two_who_leave_at_once_leave_one(cast: Any, second: User) -> None:
    one, other = logged_in(cast.staff), logged_in(second)
    form = {"password": PASSWORD}
    answers = at_once(
        lambda: one.post("/settings/delete-account/", form),
        lambda: other.post("/settings/delete-account/", form),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 403]
    assert able() == 1
