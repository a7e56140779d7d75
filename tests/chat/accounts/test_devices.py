"""The browsers in which somebody is logged in: listed, noted, ended."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.apps import apps
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from chat.accounts import devices, tasks
from chat.accounts.adapter import NOWHERE
from tests.chat.cast import PASSWORD, Cast

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"
SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
IPHONE = f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) {SAFARI} Mobile/15E148 Safari/604.1"


def browser(email: str, agent: str = FIREFOX, address: str = "198.51.100.7") -> Client:
    """Logged in through the page, as a person does."""
    client = Client(headers={"user-agent": agent}, REMOTE_ADDR=address)
    client.post("/accounts/login/", {"login": email, "password": PASSWORD})
    assert is_in(client)
    return client


def is_in(client: Client) -> bool:
    return client.get("/api/profile/").status_code == 200


def listed(client: Client) -> list[devices.Device]:
    return client.get("/settings/").context["devices"]


@pytest.fixture
def desktop(cast: Cast) -> Client:
    return browser("alice@example.org")


@pytest.fixture
def phone(cast: Cast) -> Client:
    return browser("alice@example.org", IPHONE, "2001:db8::7")


def test_each_browser_is_listed_with_what_it_is(cast: Cast, desktop: Client, phone: Client) -> None:
    browser("bob@example.org")
    assert [(each.name, each.address, each.is_this) for each in listed(desktop)] == [
        ("Firefox on Windows", "198.51.100.7", True),
        ("Safari on iPhone", "2001:db8::7", False),
    ]
    assert [each.is_this for each in listed(phone)] == [True, False]
    page = desktop.get("/settings/").content.decode()
    assert "Safari on iPhone" in page
    assert "this browser" in page


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        (f"Mozilla/5.0 (X11; Linux x86_64) {CHROME} Safari/537.36", "Chrome on Linux"),
        (f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {SAFARI} Safari/605.1.15", "Safari on macOS"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("", "Unknown browser"),
        ("<script>alert(1)</script>" * 20, "Unknown browser"),
        ("\u202e\x00" * 90, "Unknown browser"),
    ],
)
def test_names_of_browsers(agent: str, name: str) -> None:
    assert devices.name_of(agent) == name


def test_one_is_ended_and_the_others_stay(cast: Cast, desktop: Client, phone: Client) -> None:
    (other,) = [each for each in listed(desktop) if not each.is_this]
    answer = desktop.post(f"/settings/sessions/{other.pk}/end/")
    assert answer["Location"] == "/settings/#sessions"
    assert not is_in(phone)
    assert is_in(desktop)
    assert [each.is_this for each in listed(desktop)] == [True]
    assert "That browser is logged out." not in desktop.get("/settings/").content.decode()  # said once


def test_all_others_are_ended(cast: Cast, desktop: Client, phone: Client) -> None:
    third, bob = browser("alice@example.org"), browser("bob@example.org")
    assert (
        "2 browsers are logged out."
        in desktop.post("/settings/sessions/end-others/", follow=True).content.decode()
    )
    assert [is_in(each) for each in (desktop, phone, third, bob)] == [True, False, False, True]


@pytest.mark.parametrize("who", ["bob", "stranger", "staff"])
def test_nobody_ends_sessions_of_others(cast: Cast, desktop: Client, who: str) -> None:
    row = UserSession.objects.get(user=cast.alice)
    assert cast.client(who).post(f"/settings/sessions/{row.pk}/end/").status_code == 404
    assert cast.client(who).post("/settings/sessions/end-others/").status_code == 302
    assert cast.client(who).post("/settings/sessions/999999/end/").status_code == 404
    assert is_in(desktop)


def test_anonymous_visitors_are_sent_to_log_in(db: None) -> None:
    for path in ("/settings/sessions/1/end/", "/settings/sessions/end-others/"):
        assert Client().post(path)["Location"].startswith("/accounts/login/")
    assert Client().get("/accounts/sessions/")["Location"] == "/settings/#sessions"


def test_a_form_of_another_site_ends_nothing(cast: Cast, desktop: Client, phone: Client) -> None:
    forged = Client(enforce_csrf_checks=True)
    forged.cookies = desktop.cookies
    assert forged.post("/settings/sessions/end-others/").status_code == 403
    assert is_in(phone)


def test_a_changed_password_empties_the_list(cast: Cast, desktop: Client, phone: Client) -> None:
    new = "another horse battery"
    form = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    assert desktop.post("/accounts/password/change/", form).status_code == 302
    assert not is_in(phone)
    assert [each.is_this for each in listed(desktop)] == [True]


def test_the_last_visit_is_stored_at_intervals_and_not_by_probes(
    cast: Cast, desktop: Client, phone: Client
) -> None:
    def seen() -> Any:
        return next(each.seen_at for each in listed(phone) if not each.is_this)

    long_ago = timezone.now() - timedelta(days=3)
    UserSession.objects.filter(session_key=desktop.session.session_key).update(last_seen_at=long_ago)
    desktop.get("/")
    assert seen() == long_ago  # it was noted a moment ago, when it logged in and looked
    cache.clear()
    desktop.get("/healthz")
    assert seen() == long_ago
    desktop.get("/")
    assert seen() > long_ago
    with CaptureQueriesContext(connection) as made:
        desktop.get("/api/profile/")
    assert not [each for each in made if "UPDATE" in each["sql"]]


def test_pages_open_without_redis(cast: Cast, desktop: Client, settings: Settings) -> None:
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"},
    }
    assert is_in(desktop)


@pytest.mark.parametrize("address", ["", "unknown", "198.51.100.7:5555"])
def test_invalid_addresses_are_not_stored(cast: Cast, address: str) -> None:
    client = browser("alice@example.org", address=address)
    assert listed(client)[0].address == ""


def test_queries_do_not_grow_with_the_browsers(cast: Cast, desktop: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as made:
            desktop.get("/settings/")
        return len(made)

    few = queries()
    for _ in range(8):
        browser("alice@example.org", IPHONE)
    assert queries() == few
    assert len(listed(desktop)) == 9


def test_expired_sessions_are_deleted(cast: Cast, desktop: Client, phone: Client) -> None:
    Session.objects.filter(session_key=phone.session.session_key).update(expire_date=timezone.now())
    tasks.sweep_sessions()
    assert UserSession.objects.get(user=cast.alice).session_key == desktop.session.session_key
    assert Session.objects.count() == 1
    assert is_in(desktop)


def test_the_migration_lists_existing_sessions(cast: Cast, desktop: Client, phone: Client) -> None:
    key = phone.session.session_key
    UserSession.objects.filter(session_key=key).delete()
    Client().get("/accounts/login/")  # of nobody
    import_module("chat.accounts.migrations.0003_sessions_known").list_sessions(apps, None)
    row = UserSession.objects.get(session_key=key)
    assert (row.user, row.ip) == (cast.alice, NOWHERE)
    assert UserSession.objects.filter(user=cast.alice).count() == 2
    assert {each.name for each in listed(desktop)} == {"Firefox on Windows", "Unknown browser"}


def test_staff_do_not_see_where_people_are_logged_in(cast: Cast, desktop: Client) -> None:
    assert cast.client("staff").get("/admin/usersessions/usersession/").status_code == 404
