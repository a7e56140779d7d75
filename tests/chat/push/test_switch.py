"""The switch for notifications: who may turn it, what it accepts, and when it turns itself off."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from chat.accounts.models import User
from chat.push import services, tasks
from chat.push.models import PushDevice
from chat.transfer import account
from tests.chat.cast import PASSWORD, Cast
from tests.chat.push.browsers import Browser

pytestmark = pytest.mark.django_db

ADDRESS = "https://push.example.net/send/abc"


def subscribe(client: Client, endpoint: Any = ADDRESS, **changes: Any) -> Any:
    data = {**Browser().subscription(endpoint), **changes}
    return client.put("/api/push/", json.dumps(data), content_type="application/json")


def login(email: str = "alice@example.org") -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": email, "password": PASSWORD})
    return client


def owners() -> list[str]:
    return list(PushDevice.objects.order_by("pk").values_list("user__display_name", flat=True))


def test_without_a_key_nothing_of_it_exists(cast: Cast) -> None:
    alice = cast.client("alice")
    assert subscribe(alice).status_code == 404
    pages = [alice.get(path).content.decode() for path in ("/settings/", "/", "/worker.js")]
    assert [("otification" in page, '"push"' in page, "data-push" in page) for page in pages] == [
        (False, False, False)
    ] * 3
    assert owners() == []


def test_a_browser_is_turned_on_and_off_by_its_person_alone(cast: Cast, push_key: str) -> None:
    alice, phone = cast.client("alice"), login()
    assert subscribe(cast.client("anonymous")).status_code == 401
    assert [subscribe(each).json() for each in (alice, phone)] == [{"on": True}] * 2
    assert owners() == ["Alice"]  # the same browser, logged in anew
    assert subscribe(cast.client("bob")).json() == {"on": True}
    assert owners() == ["Bob"]  # who used it before without logging out is told nothing there
    assert subscribe(phone).json() == {"on": True}
    assert subscribe(alice, "https://push.example.net/send/other").json() == {"on": True}
    assert owners() == ["Alice", "Alice"]
    assert cast.client("bob").delete("/api/push/").json() == {"on": False}
    assert alice.delete("/api/push/").json() == {"on": False}
    assert 'data-is-on="0"' in alice.get("/settings/").content.decode()
    assert 'data-is-on="1"' in phone.get("/settings/").content.decode()
    assert 'data-is-on="0"' in cast.client("bob").get("/settings/").content.decode()
    assert cast.client("anonymous").delete("/api/push/").status_code == 401
    assert owners() == ["Alice"]


def test_pages_have_the_public_key_alone(cast: Cast, push_key: str) -> None:
    for path in ("/settings/", "/", "/worker.js"):
        page = cast.client("alice").get(path).content.decode()
        assert push_key not in page
        assert "push" in page


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoint": None},
        {"endpoint": 5},
        {"endpoint": ["https://push.example.net/"]},
        {"endpoint": ""},
        {"endpoint": "http://push.example.net/send"},
        {"endpoint": "ftp://push.example.net/send"},
        {"endpoint": "https://127.0.0.1/send"},
        {"endpoint": "https://[::1]/send"},
        {"endpoint": "https://10.0.0.1/send"},
        {"endpoint": "https://169.254.169.254/latest"},
        {"endpoint": "https://localhost/send"},
        {"endpoint": "https://me:word@push.example.net/send"},
        {"endpoint": "https://push.example.net:6379/send"},
        {"endpoint": "https://push.example.net/é"},
        {"endpoint": f"https://push.example.net/{'a' * 1024}"},
        {"p256dh": None},
        {"p256dh": ""},
        {"p256dh": "A" * 87},
        {"p256dh": "B" * 86},
        {"p256dh": "!" * 87},
        {"auth": None},
        {"auth": "A" * 21},
        {"auth": "A" * 43},
        {"auth": {"a": 1}},
    ],
)
def test_hostile_subscriptions_are_refused(cast: Cast, push_key: str, changes: dict[str, Any]) -> None:
    answer = subscribe(cast.client("alice"), **changes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_input")
    assert owners() == []


def test_a_person_has_few_browsers_and_the_oldest_gives_way(cast: Cast, push_key: str) -> None:
    for number in range(services.MOST_DEVICES + 2):
        subscribe(login(), f"{ADDRESS}{number}")
    kept = PushDevice.objects.order_by("pk").values_list("endpoint", flat=True)
    assert list(kept) == [f"{ADDRESS}{number}" for number in range(2, services.MOST_DEVICES + 2)]


def test_the_switch_cannot_be_turned_without_end(cast: Cast, push_key: str) -> None:
    alice = cast.client("alice")
    codes = [subscribe(alice).status_code for _ in range(services.CHANGES_AN_HOUR + 1)]
    assert codes == [200] * services.CHANGES_AN_HOUR + [429]


# --- It turns itself off ------------------------------------------------------------------------------------


@pytest.fixture
def phone(cast: Cast, push_key: str) -> Client:
    """A browser of alice with notifications, beside one of bob."""
    subscribe(cast.client("bob"), f"{ADDRESS}/bob")
    client = login()
    subscribe(client)
    return client


def test_logging_out_turns_it_off(phone: Client) -> None:
    phone.post("/accounts/logout/")
    assert owners() == ["Bob"]


@pytest.mark.django_db(transaction=True)
def test_ending_the_session_elsewhere_turns_it_off(phone: Client) -> None:
    login().post("/settings/sessions/end-others/")
    assert owners() == ["Bob"]


def test_a_new_password_turns_it_off_everywhere(phone: Client) -> None:
    words = {"oldpassword": PASSWORD, "password1": f"{PASSWORD} 2", "password2": f"{PASSWORD} 2"}
    login().post("/accounts/password/change/", words)
    assert owners() == ["Bob"]


def test_a_password_set_by_staff_turns_it_off_with_the_next_sweep(cast: Cast, phone: Client) -> None:
    cast.alice.set_password("another one entirely")
    cast.alice.save()
    tasks.sweep_push_devices()
    assert owners() == ["Bob"]


def test_a_session_that_ran_out_is_swept(phone: Client) -> None:
    Session.objects.filter(session_key=phone.session.session_key).delete()
    tasks.sweep_push_devices()
    assert owners() == ["Bob"]


@pytest.mark.django_db(transaction=True)
def test_deleting_the_account_turns_it_off_at_once(phone: Client) -> None:
    phone.post("/settings/delete-account/", {"password": PASSWORD})
    assert not User.objects.filter(email="alice@example.org").exists()
    assert owners() == ["Bob"]


# --- Elsewhere ----------------------------------------------------------------------------------------------


def test_the_account_archive_says_that_there_is_one_and_has_no_key(cast: Cast, phone: Client) -> None:
    written = account.written(cast.alice)
    assert [list(each) for each in written["notified_browsers"]] == [["since"]]
    device = PushDevice.objects.get(user=cast.alice)
    text = json.dumps(written)
    assert not any(secret in text for secret in (device.endpoint, device.p256dh, device.auth))
    assert "notified_browsers" not in account.written(cast.stranger)
