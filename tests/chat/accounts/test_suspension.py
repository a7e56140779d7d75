"""A suspended person meets the reason at every door, may leave, and nobody else notices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from chat.accounts import services, signals
from chat.accounts.models import User
from chat.core.errors import BadInput, NotAllowed, Suspended
from chat.core.models import StaffAction
from tests.chat.cast import PASSWORD, Cast

WHY = "Sent <b>spam</b> to everybody"


@pytest.fixture
def suspended(cast: Cast) -> Cast:
    """alice, with a browser in which she was logged in already."""
    cast.client("alice").get("/settings/")
    services.suspend(user=cast.alice, by=cast.staff, reason=WHY)
    return cast


@pytest.mark.parametrize(
    "door", ["/", "/settings/", "/accounts/password/change/", "/s/some-token/", "/nothing/"]
)
def test_pages_say_why(suspended: Cast, door: str) -> None:
    response = suspended.client("alice").get(door)
    assert response.status_code == 403
    page = response.content.decode()
    assert "Sent &lt;b&gt;spam&lt;/b&gt; to everybody" in page
    assert "/accounts/logout/" in page


@pytest.mark.parametrize("door", ["/api/profile/", "/api/usage/", "/api/conversations/", "/api/reports/"])
def test_the_api_says_why(suspended: Cast, door: str) -> None:
    response = suspended.client("alice").get(door)
    assert response.status_code == 403
    error = response.json()["error"]
    assert error["code"] == "suspended"
    assert WHY in error["words"]
    assert error["until"] is None


def test_nothing_can_be_changed(suspended: Cast) -> None:
    client = suspended.client("alice")
    assert (
        client.patch("/api/profile/", '{"display_name": "x"}', content_type="application/json").status_code
        == 403
    )
    assert client.post("/settings/", {"display_name": "x", "language": ""}).status_code == 403
    client.post("/i18n/setlang/", {"language": "fr"})
    suspended.alice.refresh_from_db()
    assert (suspended.alice.display_name, suspended.alice.language) == ("Alice", "")


def test_the_way_out_is_open(suspended: Cast) -> None:
    client = suspended.client("alice")
    assert client.post("/accounts/logout/").status_code == 302
    assert client.get("/accounts/login/").status_code == 200


def test_logging_in_is_refused_in_words_and_only_after_the_password(suspended: Cast) -> None:
    client = Client()
    wrong = client.post("/accounts/login/", {"login": "alice@example.org", "password": "not it at all"})
    assert WHY not in wrong.content.decode()
    assert "suspended" not in wrong.content.decode().lower()
    right = client.post("/accounts/login/", {"login": "alice@example.org", "password": PASSWORD})
    assert right.status_code == 403
    assert "Sent &lt;b&gt;spam" in right.content.decode()
    assert client.get("/api/profile/").status_code == 401


def test_others_and_their_sessions_are_left_alone(cast: Cast) -> None:
    for who in ("alice", "bob", "stranger"):
        cast.client(who).get("/api/profile/")
    before = Session.objects.count()
    services.suspend(user=cast.alice, by=cast.staff, reason=WHY)
    assert Session.objects.count() == before
    assert cast.client("bob").get("/api/profile/").status_code == 200
    assert cast.client("stranger").get("/api/usage/").status_code == 200


def test_it_ends_by_itself(cast: Cast) -> None:
    end = timezone.now() + timedelta(hours=1)
    services.suspend(user=cast.alice, by=cast.staff, reason=WHY, until=end)
    result = cast.client("alice").get("/api/profile/").json()["error"]
    assert result["until"] == end.isoformat()
    assert "until" in result["words"]
    cast.alice.suspended_until = timezone.now() - timedelta(seconds=1)
    cast.alice.save()
    assert cast.client("alice").get("/api/profile/").status_code == 200
    services.check_not_suspended(cast.alice)


def test_lifting_opens_the_doors_and_is_on_record(suspended: Cast) -> None:
    with pytest.raises(Suspended, match="spam"):
        services.check_not_suspended(suspended.alice)
    services.lift_suspension(user=suspended.alice, by=suspended.staff)
    assert suspended.client("alice").get("/api/profile/").status_code == 200
    assert list(StaffAction.objects.order_by("pk").values_list("verb", "target")) == [
        ("suspend", f"user:{suspended.alice.pk}"),
        ("lift suspension", f"user:{suspended.alice.pk}"),
    ]


def test_signals_are_sent_after_the_commit(
    cast: Cast, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    result = []

    def listener(user: User, **kwargs: Any) -> None:
        result.append(user.pk)

    signals.user_suspended.connect(listener)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            services.suspend(user=cast.alice, by=cast.staff, reason=WHY)
            assert result == []
        assert result == [cast.alice.pk]
    finally:
        signals.user_suspended.disconnect(listener)


@pytest.mark.parametrize(("reason", "until"), [("", None), ("   ", None), ("x" * 301, None), ("ok", "past")])
def test_a_suspension_needs_a_reason_and_an_end_in_the_future(
    cast: Cast, reason: str, until: str | None
) -> None:
    end = timezone.now() - timedelta(minutes=1) if until else None
    with pytest.raises(BadInput):
        services.suspend(user=cast.alice, by=cast.staff, reason=reason, until=end)
    assert not StaffAction.objects.exists()


def test_staff_are_suspended_by_administrators_only(cast: Cast) -> None:
    """Staff are suspended by administrators only, and nobody suspends themselves."""
    for by, user in [
        (cast.staff, cast.staff),
        (cast.moderator, cast.staff),
        (cast.moderator, cast.moderator),
    ]:
        with pytest.raises(NotAllowed):
            services.suspend(user=user, by=by, reason=WHY)
    services.suspend(user=cast.moderator, by=cast.staff, reason=WHY)
    assert cast.client("moderator").get("/admin/").status_code == 403


def test_deleting_needs_a_suspension_first(cast: Cast) -> None:
    with pytest.raises(NotAllowed):
        services.delete_user(user=cast.alice, by=cast.staff)
    services.suspend(user=cast.alice, by=cast.staff, reason=WHY)
    alice = cast.alice.pk
    services.delete_user(user=cast.alice, by=cast.staff)
    assert not type(cast.alice).objects.filter(email="alice@example.org").exists()
    assert StaffAction.objects.get(verb="delete").target == f"user:{alice}"
