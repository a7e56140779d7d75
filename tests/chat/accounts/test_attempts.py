"""Failed log-ins are counted by account and address first: nobody locks out others."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.core import signing
from django.core.mail import EmailMessage
from django.test import Client
from pytest_django import Settings

from chat.accounts.attempts import COOKIE, SALT
from chat.accounts.models import User
from tests.chat.cast import PASSWORD, Cast

LOG_IN = "/accounts/login/"
ALICE = "alice@example.org"
HERE, ELSEWHERE = "192.0.2.1", "192.0.2.2"
TOO_MANY = "Too many failed log-ins"


def log_in(
    email: str = ALICE, password: str = PASSWORD, address: str = HERE, client: Client | None = None
) -> Any:
    return (client or Client()).post(LOG_IN, {"login": email, "password": password}, REMOTE_ADDR=address)


def is_in(response: Any) -> bool:
    return response.status_code == 302


def fail(times: int, **about: Any) -> None:
    for _ in range(times):
        assert not is_in(log_in(password="wrong", **about))


def test_failures_from_one_address_lock_out_nobody_else_behind_it(cast: Cast) -> None:
    fail(15)
    assert TOO_MANY in log_in().content.decode()
    for other in ("bob", "stranger", "moderator"):
        assert is_in(log_in(f"{other}@example.org"))


def test_many_neighbours_who_mistype_lock_out_nobody(cast: Cast) -> None:
    for number in range(60):
        fail(1, email=f"pupil{number}@example.org")
    assert is_in(log_in())


def test_failures_from_one_address_do_not_lock_the_account_elsewhere(cast: Cast) -> None:
    fail(15)
    assert is_in(log_in(address=ELSEWHERE))


def test_guesses_from_many_addresses_are_stopped(cast: Cast) -> None:
    for number in range(60):
        fail(1, address=f"198.51.100.{number}")
    assert TOO_MANY in log_in(address=ELSEWHERE).content.decode()


def test_nobody_locks_the_owner_out_of_a_browser_that_logged_in_before(cast: Cast) -> None:
    browser = Client()
    assert is_in(log_in(client=browser))
    browser.post("/accounts/logout/")
    for number in range(60):
        fail(1, address=f"198.51.100.{number}")
    fail(10)  # from the owner's address, too
    assert is_in(log_in(client=browser))


def test_a_browser_that_logged_in_before_may_not_guess_on(cast: Cast) -> None:
    browser = Client()
    assert is_in(log_in(client=browser))
    browser.post("/accounts/logout/")
    fail(5, client=browser)
    assert TOO_MANY in log_in(client=browser).content.decode()


def test_the_cookie_of_one_account_helps_with_no_other(cast: Cast) -> None:
    browser = Client()
    assert is_in(log_in("bob@example.org", client=browser))
    browser.post("/accounts/logout/")
    fail(5, client=browser)
    assert TOO_MANY in log_in(client=browser).content.decode()


@pytest.mark.parametrize("kind", ["text", "empty", "signed text", "signed list"])
def test_a_forged_or_broken_cookie_counts_as_none(cast: Cast, kind: str) -> None:
    forged = {
        "text": "x",
        "empty": "",
        "signed text": signing.dumps("x", salt=SALT),
        "signed list": signing.dumps([1, 2, 3], salt=SALT),
    }[kind]
    browser = Client()
    browser.cookies[COOKIE] = forged
    fail(5, client=browser)
    assert not is_in(log_in(client=browser))


def test_right_passwords_are_not_counted(cast: Cast) -> None:
    for _ in range(12):
        assert is_in(log_in())


def test_a_password_set_by_mail_ends_the_lock(
    cast: Cast, settings: Settings, mailoutbox: list[EmailMessage]
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    fail(6)
    client = Client(REMOTE_ADDR=HERE)
    client.post("/accounts/password/reset/", {"email": ALICE})
    link = next(word for word in mailoutbox[0].body.split() if "/password/reset/key/" in word)
    form = client.get(link.partition("8000")[2] or link, follow=True)
    new = "another horse battery"
    client.post(form.request["PATH_INFO"], {"password1": new, "password2": new})
    assert is_in(log_in(password=new))


def test_many_at_one_address_may_sign_up_and_ask_for_new_passwords(
    cast: Cast, client: Client, settings: Settings
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    for number in range(30):
        email = f"pupil{number}@example.org"
        form = {"email": email, "password1": PASSWORD, "password2": PASSWORD}
        assert client.post("/accounts/signup/", form).status_code == 302
        assert client.post("/accounts/password/reset/", {"email": email}).status_code == 302
        client.cookies.clear()


# --- the second factor ------------------------------------------------------------------------------------

CODE = "/accounts/2fa/authenticate/"


def with_second_factor(user: User) -> list[str]:
    """Turns it on; the codes that may be used once."""
    totp.TOTP.activate(user, totp.generate_totp_secret())
    return RecoveryCodes.activate(user).get_unused_codes()


def at_second_factor(address: str, browser: Client | None = None) -> Client:
    client = browser or Client()
    response = log_in(address=address, client=client)
    assert response["Location"].startswith(CODE)
    return client


def enter(client: Client, code: str, address: str = HERE) -> Any:
    return client.post(CODE, {"code": code}, REMOTE_ADDR=address)


def test_wrong_codes_are_stopped_and_lock_out_nobody_else(cast: Cast) -> None:
    with_second_factor(cast.alice)
    codes = with_second_factor(cast.bob)
    client = at_second_factor(HERE)
    for _ in range(5):
        assert "This code is not right" in enter(client, "000000").content.decode()
    assert TOO_MANY in enter(client, "000000").content.decode()
    bob = Client()
    log_in("bob@example.org", client=bob)
    assert is_in(enter(bob, codes[0]))


def test_wrong_codes_of_others_do_not_lock_the_owner_out_of_a_known_browser(cast: Cast) -> None:
    codes = with_second_factor(cast.alice)
    browser = at_second_factor(HERE)
    assert is_in(enter(browser, codes[0]))
    browser.post("/accounts/logout/")
    for number in range(8):
        thief = at_second_factor(f"198.51.100.{number}")
        for _ in range(3):
            enter(thief, "000000", f"198.51.100.{number}")
    stopped = at_second_factor("198.51.100.99")
    assert TOO_MANY in enter(stopped, codes[1], "198.51.100.99").content.decode()
    assert is_in(enter(at_second_factor(HERE, browser), codes[1]))
