"""Tests that a mail server that is down, silent or refuses mails causes plain errors and no half-created
objects.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.test import Client

from chat.accounts import mailing
from chat.accounts.models import User
from tests.chat.cast import PASSWORD, Cast

pytestmark = pytest.mark.django_db
WORDS = "No e-mail can be sent from here at the moment, so nothing was changed."
SIGN_UP = "/accounts/signup/"
RESET = "/accounts/password/reset/"
EMAIL = "/accounts/email/"
NEW = {"email": "new@example.org", "password1": PASSWORD, "password2": PASSWORD}


@contextlib.contextmanager
def listening(*, answers: bool) -> Iterator[int]:
    """A port where connections wait for a greeting for ever, or where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if answers:
            yield port
            return
    yield port


@pytest.fixture(params=["refused", "silent"])
def server_down(request: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(mailing, "CHECK_SECONDS", 0.5)
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.EMAIL_HOST = "127.0.0.1"
    with listening(answers=request.param == "silent") as settings.EMAIL_PORT:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        yield


def server_returns(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def test_a_failed_sign_up_creates_nobody_and_can_be_repeated(
    server_down: None, client: Client, settings: Any
) -> None:
    page = client.post(SIGN_UP, NEW)
    assert WORDS in page.content.decode()
    assert 'value="new@example.org"' in page.content.decode()  # nobody types it twice
    assert not User.objects.exists()
    assert not EmailAddress.objects.exists()

    server_returns(settings)
    assert client.post(SIGN_UP, NEW).status_code == 302
    link = re.search(r"/accounts/confirm-email/\S+", str(mail.outbox[0].body))
    assert link
    client.post(link[0])
    assert EmailAddress.objects.get(email="new@example.org").verified


@pytest.mark.parametrize("address", ["alice@example.org", "nobody@example.org"])
def test_a_reset_is_refused_alike_for_everybody(
    server_down: None, cast: Cast, client: Client, settings: Any, address: str
) -> None:
    assert WORDS in client.post(RESET, {"email": address}).content.decode()
    server_returns(settings)
    assert client.post(RESET, {"email": address}).status_code == 302
    assert [each.to for each in mail.outbox] == [[address]]


def test_no_address_is_added(server_down: None, cast: Cast, settings: Any) -> None:
    alice = cast.client("alice")
    before = set(EmailAddress.objects.values_list("email", flat=True))
    page = alice.post(EMAIL, {"action_add": "", "email": "second@example.org"})
    assert WORDS in page.content.decode()
    assert set(EmailAddress.objects.values_list("email", flat=True)) == before

    server_returns(settings)
    alice.post(EMAIL, {"action_add": "", "email": "second@example.org"})
    assert [each.to for each in mail.outbox] == [["second@example.org"]]


def test_a_confirmation_that_cannot_be_sent_again_says_so_and_is_sent_later(
    server_down: None, client: Client, settings: Any
) -> None:
    waiting = User.objects.create_user("waiting@example.org", PASSWORD)
    EmailAddress.objects.create(user=waiting, email=waiting.email, primary=True)
    known = {"login": waiting.email, "password": PASSWORD}
    page = client.post("/accounts/login/", known)
    assert (page.status_code, page["Retry-After"]) == (503, "120")
    assert WORDS in page.content.decode()
    server_returns(settings)
    assert client.post("/accounts/login/", known).status_code == 302
    assert [each.to for each in mail.outbox] == [[waiting.email]]
    assert User.objects.filter(pk=waiting.pk).exists()


def test_a_signup_whose_mail_is_refused_is_taken_back(client: Client, settings: Any) -> None:
    """The server answers at first, and refuses the mail itself."""
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.EMAIL_BACKEND = f"{__name__}.RefusesMails"
    page = client.post(SIGN_UP, NEW)
    assert page.status_code == 503
    assert WORDS in page.content.decode()
    assert not User.objects.exists()

    server_returns(settings)
    assert client.post(SIGN_UP, NEW).status_code == 302
    assert [each.to for each in mail.outbox] == [["new@example.org"]]


@pytest.mark.django_db(transaction=True)
def test_a_mail_that_is_given_up_later_takes_the_signup_back(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailing, "PAUSES", (0.0, 0.0))
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    settings.MAIL_IN_BACKGROUND = True
    settings.EMAIL_BACKEND = f"{__name__}.RefusesMails"
    assert client.post(SIGN_UP, NEW).status_code == 302  # a page waits for no mail
    mailing.finish(30)
    assert not User.objects.exists()

    server_returns(settings)
    assert client.post(SIGN_UP, NEW).status_code == 302
    mailing.finish(30)
    assert [each.to for each in mail.outbox] == [["new@example.org"]]


class RefusesMails(BaseEmailBackend):
    def send_messages(self, email_messages: Any) -> int:
        raise ConnectionResetError


def test_a_code_by_e_mail_is_offered_only_if_the_site_sends_e_mail(cast: Cast, settings: Any) -> None:
    alice, page = cast.client("alice"), "/accounts/reauthenticate/"
    assert "Send me a code" not in alice.get(page).content.decode()
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    assert "Send me a code by e-mail" in alice.get(page).content.decode()


@pytest.mark.parametrize("path", [RESET, RESET + "done/", EMAIL])
def test_a_site_that_sends_no_e_mail_promises_none(cast: Cast, client: Client, path: str) -> None:
    who = cast.client("alice") if path == EMAIL else client
    page = who.get(path).content.decode()
    assert "This site sends no e-mail" in page
    for promise in ("we send you", "on its way", "Send the", 'name="action_add"'):
        assert promise not in page
