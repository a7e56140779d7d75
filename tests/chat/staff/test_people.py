"""Staff find, add, change, suspend and delete people, on record."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.accounts import services as accounts
from chat.accounts.models import User
from chat.conversations.models import Conversation
from chat.core import audit
from chat.core.models import StaffAction
from chat.moderation.models import Report
from chat.quotas.models import QuotaPolicy
from chat.turns.models import Generation, Status
from tests.chat.cast import PASSWORD, Cast
from tests.chat.staff.scene import Scene, page_of


def test_people_are_found_and_suspended_and_let_back(cast: Cast) -> None:
    client = cast.client("staff")
    found = client.get("/admin/accounts/user/", {"q": "alice@"})
    assert found.context["cl"].result_count == 1
    assert page_of(cast.alice, "suspend") in client.get(page_of(cast.alice, "change")).content.decode()
    end = timezone.now() + timedelta(days=2)
    form = {"reason": "Spam", "until": end.strftime("%Y-%m-%dT%H:%M")}
    assert client.post(page_of(cast.alice, "suspend"), form).status_code == 302
    cast.alice.refresh_from_db()
    assert cast.alice.is_suspended
    assert cast.alice.suspended_until is not None
    assert abs(cast.alice.suspended_until - end) < timedelta(minutes=1)
    assert client.get("/admin/accounts/user/", {"suspended": "yes"}).context["cl"].result_count == 1
    assert client.get("/admin/accounts/user/", {"suspended": "no"}).context["cl"].result_count == 4
    assert cast.client("alice").get("/api/profile/").status_code == 403
    assert page_of(cast.alice, "lift") in client.get(page_of(cast.alice, "change")).content.decode()
    assert client.get(page_of(cast.alice, "lift")).status_code == 405
    assert client.post(page_of(cast.alice, "lift")).status_code == 302
    assert cast.client("alice").get("/api/profile/").status_code == 200
    assert list(StaffAction.objects.order_by("pk").values_list("verb", flat=True)) == [
        "suspend",
        "lift suspension",
    ]


@pytest.mark.parametrize(
    "form", [{"reason": ""}, {"reason": "x", "until": "2001-01-01T00:00"}, {"reason": "x", "until": "soon"}]
)
def test_a_wrong_suspension_is_shown_again(cast: Cast, form: dict[str, Any]) -> None:
    response = cast.client("staff").post(page_of(cast.alice, "suspend"), form)
    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    cast.alice.refresh_from_db()
    assert not cast.alice.is_suspended


def test_nobody_suspends_themselves_and_unknown_people_are_unknown(cast: Cast) -> None:
    response = cast.client("staff").post(page_of(cast.staff, "suspend"), {"reason": "x"})
    assert "You cannot do this to yourself." in response.content.decode()
    assert cast.client("staff").get(f"/admin/accounts/user/{uuid4()}/suspend/").status_code == 404


def test_people_are_added_with_a_verified_address(cast: Cast) -> None:
    form = {"email": "New@Example.org", "display_name": "New", "password1": PASSWORD, "password2": PASSWORD}
    assert cast.client("staff").post("/admin/accounts/user/add/", form).status_code == 302
    client = Client()
    client.post("/accounts/login/", {"login": "new@example.org", "password": PASSWORD})
    assert client.get("/api/profile/").status_code == 200
    assert (
        StaffAction.objects.get(verb="add").target == f"user:{User.objects.get(email='new@example.org').pk}"
    )
    again = cast.client("staff").post("/admin/accounts/user/add/", {**form, "email": "ALICE@example.org"})
    assert again.status_code == 200
    assert "already" in again.content.decode()


def test_changes_by_staff_to_a_person_are_on_record_with_their_values(cast: Cast) -> None:
    form = {
        "email": "alice@example.org",
        "display_name": "A",
        "language": "",
        "is_active": "on",
        "is_staff": "on",
    }
    assert cast.client("staff").post(page_of(cast.alice, "change"), form).status_code == 302
    row = StaffAction.objects.get(verb="change")
    assert row.target == f"user:{cast.alice.pk}"
    assert row.detail["is_staff"] is True
    assert set(row.detail["changed"]) == {"Display name", "Staff"}


def test_a_new_password_from_staff_is_on_record_without_it(cast: Cast) -> None:
    form = {"password1": "a brand new one", "password2": "a brand new one", "usable_password": "true"}
    assert cast.client("staff").post(page_of(cast.alice, "password"), form).status_code == 302
    cast.alice.refresh_from_db()
    assert cast.alice.check_password("a brand new one")
    assert "brand new" not in str(StaffAction.objects.get().detail)


def test_staff_who_are_no_administrators_cannot_raise_anybody(cast: Cast) -> None:
    clerk = accounts.create_user(email="clerk@example.org", is_staff=True)
    names = ("view_user", "change_user", "delete_user", "add_user")
    clerk.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(clerk)
    form = {
        "email": "alice@example.org",
        "display_name": "A",
        "language": "",
        "is_active": "on",
        "is_staff": "on",
        "is_superuser": "on",
        "groups": [str(Group.objects.get(name="moderators").pk)],
    }
    assert client.post(page_of(cast.alice, "change"), form).status_code == 302
    alice = User.objects.get(pk=cast.alice.pk)
    assert (alice.display_name, alice.is_staff, alice.is_superuser, alice.groups.count()) == (
        "A",
        False,
        False,
        0,
    )
    client.post(page_of(clerk, "change"), {**form, "email": "clerk@example.org"})
    clerk.refresh_from_db()
    assert (clerk.is_superuser, clerk.groups.count()) == (False, 0)
    for person in (cast.staff, cast.moderator):
        assert client.post(page_of(person, "change"), form).status_code == 403
        assert client.post(page_of(person, "password"), form).status_code == 403
        assert client.post(page_of(person, "suspend"), {"reason": "x"}).status_code == 403
    assert client.post(page_of(cast.bob, "suspend"), {"reason": "x"}).status_code == 302


def test_people_are_deleted_only_when_suspended_and_nothing_of_theirs_runs(cast: Cast, scene: Scene) -> None:
    client, delete = cast.client("staff"), page_of(cast.alice, "delete")
    assert client.post(delete, {"post": "yes"}).status_code == 403
    accounts.suspend(user=cast.alice, by=cast.staff, reason="x")
    Generation.objects.update(status=Status.RUNNING)
    assert client.post(delete, {"post": "yes"}).status_code == 403
    Generation.objects.update(status=Status.STOPPED)
    confirm = client.get(delete).content.decode()
    assert "soup" not in confirm.lower()
    assert client.post(delete, {"post": "yes"}).status_code == 302
    assert not User.objects.filter(pk=cast.alice.pk).exists()
    assert not Conversation.objects.exists()
    assert Report.objects.count() == 2  # what was reported stays, with its text
    assert StaffAction.objects.filter(verb="delete").count() == 1
    assert audit.verify() is None


def test_the_audit_names_people_by_number_and_says_whose_while_they_are_here(
    cast: Cast, scene: Scene
) -> None:
    client = cast.client("staff")
    accounts.suspend(user=cast.alice, by=cast.staff, reason="x")
    client.get(page_of(scene.conversation, "change"))
    policy, _ = QuotaPolicy.objects.get_or_create(user=cast.alice, defaults={"tokens_per_day": 1})
    form = {"user": str(cast.alice.pk), "tokens_per_day": "7", "weight": "1", "running_limit": ""}
    assert client.post(page_of(policy, "change"), form).status_code == 302
    form = {"email": "alice@example.org", "display_name": "A", "is_active": "on"}
    assert client.post(page_of(cast.alice, "change"), form).status_code == 302
    rows = list(StaffAction.objects.exclude(verb="report dismissed"))
    assert sorted(row.verb for row in rows) == ["change", "change", "read conversation", "suspend"]
    for row in rows:
        result = f"{row.target} {row.detail}"
        assert str(cast.alice.pk) in result
        assert "alice" not in result.lower()

    listed = "/admin/core/staffaction/"
    with CaptureQueriesContext(connection) as few:
        page = client.get(listed).content.decode()
    assert page.count('<td class="field-people">alice@example.org</td>') == len(rows)
    for _ in range(20):
        client.get(page_of(scene.conversation, "change"))
    with CaptureQueriesContext(connection) as many:
        client.get(listed)
    assert len(many) == len(few)
    assert "alice@example.org" in client.get(f"{listed}{rows[0].pk}/change/").content.decode()
    accounts.delete_user(user=cast.alice, by=cast.staff)
    page = client.get(listed).content.decode()
    assert "alice@example.org" not in page
    assert 'data-chain="intact"' in page
