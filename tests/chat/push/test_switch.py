"""The switch for notifications: who may turn it, what it accepts, and when it turns itself off."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from chat.accounts.models import User
from chat.push import encryption, services, tasks
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
    assert [subscribe(alice).status_code, alice.get("/api/push/").status_code] == [404, 404]
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


# --- The browser renews its subscription by itself ----------------------------------------------------------


def addresses(who: str) -> list[str]:
    rows = PushDevice.objects.filter(user__display_name=who).order_by("pk")
    return [row.removeprefix(f"{ADDRESS}/") for row in rows.values_list("endpoint", flat=True)]


def renew(client: Client, old: Any, new: str) -> int:
    status: int = subscribe(client, f"{ADDRESS}/{new}", old=old).status_code
    return status


def is_wanted(client: Client) -> bool:
    wanted: bool = client.get("/api/push/").json()["wanted"]
    return wanted


def test_a_renewed_subscription_replaces_the_old_one_of_its_person_alone(cast: Cast, push_key: str) -> None:
    alice, phone, bob = cast.client("alice"), login(), cast.client("bob")
    for client, name in ((alice, "laptop"), (phone, "phone"), (bob, "bob")):
        subscribe(client, f"{ADDRESS}/{name}")
    assert renew(phone, f"{ADDRESS}/phone", "phone2") == 200
    assert (addresses("Alice"), addresses("Bob")) == (["laptop", "phone2"], ["bob"])
    again = login()  # the same browser in another session
    assert renew(again, f"{ADDRESS}/laptop", "laptop2") == 200
    assert addresses("Alice") == ["phone2", "laptop2"]
    assert renew(phone, f"{ADDRESS}/bob", "phone3") == 200
    assert (addresses("Alice"), addresses("Bob")) == (["phone3", "laptop2"], ["bob"])


@pytest.mark.parametrize("old", [None, "", f"{ADDRESS}/unknown", "not an address", "é" * 5000])
def test_an_unknown_old_address_makes_a_new_subscription(cast: Cast, push_key: str, old: Any) -> None:
    assert renew(cast.client("alice"), old, "new") == 200
    assert addresses("Alice") == ["new"]


def test_renewals_have_the_bounds_of_the_switch(cast: Cast, push_key: str) -> None:
    alice = cast.client("alice")
    for number in range(services.MOST_DEVICES):
        assert renew(login(), f"{ADDRESS}/unknown", str(number)) == 200
    for old in (5, ["a"], {"a": 1}, True):
        assert renew(alice, old, "new") == 400
    assert subscribe(alice, "https://127.0.0.1/send", old=f"{ADDRESS}/4").status_code == 400
    assert addresses("Alice") == ["0", "1", "2", "3", "4"]
    assert renew(alice, f"{ADDRESS}/unknown", "new") == 200
    assert addresses("Alice") == ["1", "2", "3", "4", "new"]
    changes = services.MOST_DEVICES + 4 + 1 + 1
    codes = [renew(alice, None, "new") for _ in range(services.CHANGES_AN_HOUR - changes + 1)]
    assert codes == [200] * (services.CHANGES_AN_HOUR - changes) + [429]


def test_the_service_worker_gets_a_key_and_a_token_and_only_our_pages_may_use_it(
    cast: Cast, push_key: str
) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.get("/api/push/").status_code == 401
    client.force_login(cast.alice)
    answer = client.get("/api/push/")
    assert answer["Cache-Control"] == "private, no-store"
    token = answer.json()["token"]
    key = encryption.public_key(push_key)
    assert answer.json() == {"wanted": False, "key": key, "token": token}

    def put(**headers: str) -> int:
        data = json.dumps(Browser().subscription(ADDRESS))
        answer = client.put("/api/push/", data, content_type="application/json", headers=headers)
        return answer.status_code

    assert put() == 403
    assert put(**{"x-csrftoken": "a" * 64}) == 403
    assert put(**{"x-csrftoken": token, "origin": "https://other.example.org"}) == 403
    assert owners() == []
    assert put(**{"x-csrftoken": token, "origin": "http://testserver"}) == 200
    assert owners() == ["Alice"]


def test_a_browser_that_was_forgotten_may_renew_until_it_is_turned_off(cast: Cast, push_key: str) -> None:
    alice = cast.client("alice")
    subscribe(alice)
    services.forget(PushDevice.objects.get().pk)
    assert is_wanted(alice)
    assert 'data-is-on="0"' in alice.get("/settings/").content.decode()
    alice.delete("/api/push/")
    assert not is_wanted(alice)


def test_a_person_who_logs_in_anew_is_asked_anew(cast: Cast, push_key: str) -> None:
    alice = login()
    subscribe(alice)
    alice.post("/accounts/logout/")
    for email in ("bob@example.org", "alice@example.org"):
        alice.post("/accounts/login/", {"login": email, "password": PASSWORD})
        assert not is_wanted(alice)
        alice.post("/accounts/logout/")


def test_a_new_password_ends_the_wish_for_notifications(cast: Cast, push_key: str) -> None:
    alice = login()
    subscribe(alice)
    assert is_wanted(alice)
    words = {"oldpassword": PASSWORD, "password1": f"{PASSWORD} 2", "password2": f"{PASSWORD} 2"}
    alice.post("/accounts/password/change/", words)
    assert not is_wanted(alice)


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
