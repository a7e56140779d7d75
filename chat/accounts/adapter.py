"""Adapts allauth to our users: e-mail only, sign-up may be closed, suspended people are told why."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.stagekit import clear_login
from allauth.core import context
from allauth.core.internal import ratelimit
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from chat.accounts import attempts, hooks, language, mailing, services, suspension
from chat.accounts.lookalikes import normalised_address
from chat.accounts.models import User
from chat.core.errors import BadInput, MailUnavailable
from chat.core.throttling import client_address

MAIL_SENT = "account/messages/email_confirmation_sent.txt"
SIGNUP_MAIL = "account/email/email_confirmation_signup"
START_PAGES = {"/", "/admin/"}  # a person who asked for any other page gets that one
NOWHERE = "0.0.0.0"  # noqa: S104 - not bound to: what a proxy or a local socket said is no address


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.SIGNUP_OPEN)

    def clean_email(self, email: str) -> str:
        """Refuses a new address where no e-mail can prove it belongs to the person; staff can set one for
        them.

        (Otherwise anybody could attach bob's address to their own account.)
        """
        request = context.request
        if settings.ACCOUNT_EMAIL_VERIFICATION == "none" and request and request.user.is_authenticated:
            raise ValidationError(
                _("This site sends no e-mail, so it cannot check addresses. Please ask its administrators.")
            )
        try:
            return normalised_address(str(super().clean_email(email)))
        except BadInput as error:
            raise ValidationError(error.words) from None

    def authenticate(self, request: HttpRequest, **credentials: Any) -> Any:
        """Looks up the address as it is stored, its domain in ASCII; people may type it in their own
        letters.
        """
        if email := credentials.get("email"):
            with suppress(BadInput):  # in that case it belongs to nobody
                credentials["email"] = normalised_address(email)
        return super().authenticate(request, **credentials)

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Copies the language chosen on the page before signing up into the profile."""
        super().save_user(request, user, form, commit=False)
        user.email = user.email.lower()
        chosen = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
        if chosen in {code for code, _name in settings.LANGUAGES}:
            user.language = chosen
        if commit:
            user.save()
        return user

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """Runs once the password was right, so strangers learn nothing from it."""
        if user.is_active and user.is_suspended:
            clear_login(request)
            return suspension.page(request, user)
        response: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return response

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post_login(request, user, **kwargs)
        if response.headers.get("Location") in START_PAGES:
            leads = [address for address in hooks.login_destination(request, user) if address]
            response = redirect(leads[0]) if leads else response
        if user.language:
            language.remember(response, user.language)
        attempts.remember(request, response, [user.email, str(user.pk)])
        return response

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Counts an attempt. allauth calls `rollback` of the object stored here when the password is
        right.
        """
        account = str(credentials.get("email", "")).lower()
        self._login_failed_rl_usage = attempts.begin(request, attempts.PASSWORDS, account)
        if self._login_failed_rl_usage is None:
            raise self.validation_error("too_many_login_attempts")

    def _delete_login_attempts_cached_email(self, request: HttpRequest, **credentials: Any) -> None:
        """Forgets failed attempts; allauth calls it after a password was set by e-mail."""
        attempts.forget(request, str(credentials.get("email", "")).lower())

    def send_mail(self, template_prefix: str, email: str, values: dict[str, Any]) -> None:
        """Sends a mail whose links and names are of the first of GROKWEB_URLS, whatever Host a request named.

        Django lets any port of an allowed host pass, so a stranger could have somebody else's link led there.
        """
        requested = context.request.build_absolute_uri("/")
        here = f"{settings.SITE_URLS[0].rstrip('/')}/"
        links = {
            name: here + value.removeprefix(requested)
            for name, value in values.items()
            if isinstance(value, str) and value.startswith(requested)
        }
        known = {"request": context.request, "email": email, "current_site": _site()}
        request = context.request
        person = values.get("user") if template_prefix == SIGNUP_MAIL else None

        def undo() -> None:
            """Lets the same be tried again: no account that waits for a mail, no pause until the next one."""
            if isinstance(person, User):
                services.discard_unconfirmed(person.pk)
            ratelimit.clear(request, app="allauth.account", action="confirm_email", key=email.lower())

        try:
            mailing.check()
            mailing.send(
                self.render_mail(template_prefix, email, {**known, **values, **links}), given_up=undo
            )
        except (MailUnavailable, OSError):
            undo()
            raise MailUnavailable from None

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Strangers get no "we sent a mail": the next page says so. A second mail is not sent at once, so the
        message would tell that somebody tried this address a moment ago."""
        if message_template == MAIL_SENT and not request.user.is_authenticated:
            return
        super().add_message(request, level, message_template, *args, **kwargs)

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if settings.ACCOUNT_EMAIL_VERIFICATION != "none":
            return methods
        return [
            each for each in methods if each["id"] != "reauthenticate_by_code"
        ]  # without e-mail there is no code

    def format_email_subject(self, subject: str) -> str:
        return f"[{_site().name}] {subject}"

    def get_client_ip(self, request: HttpRequest) -> str:
        """Returns a valid IP address or "": allauth stores it with the session (chat/accounts/devices.py)."""
        try:
            return str(ip_address(client_address(request)))
        except ValueError:
            return NOWHERE


def _site() -> SimpleNamespace:
    host = urlsplit(settings.SITE_URLS[0]).netloc
    return SimpleNamespace(name=host, domain=host)
