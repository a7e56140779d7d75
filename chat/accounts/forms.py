"""Changes allauth's forms where they would reveal something to a stranger, or lock somebody out."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from allauth.account.forms import AddEmailForm as BaseAddEmailForm
from allauth.account.forms import ResetPasswordForm as BaseResetPasswordForm
from allauth.account.forms import SignupForm as BaseSignupForm
from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.mfa.adapter import get_adapter as get_mfa_adapter
from allauth.mfa.base.forms import AuthenticateForm as BaseAuthenticateForm
from allauth.mfa.base.forms import ReauthenticateForm as BaseReauthenticateForm
from allauth.mfa.models import Authenticator
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from chat.accounts import attempts, mailing
from chat.accounts.adapter import AccountAdapter
from chat.accounts.models import User
from chat.core.errors import MailUnavailable


class NeedsMail:
    """Refuses a form that ends in an e-mail while none can be sent, whatever the address."""

    def clean(self) -> Any:
        cleaned = super().clean()  # type: ignore[misc]
        if not self.errors:  # type: ignore[attr-defined]
            try:
                mailing.check()
            except MailUnavailable as error:
                raise ValidationError(error.words) from None
        return cleaned


class AddEmailForm(NeedsMail, BaseAddEmailForm):  # type: ignore[misc]
    pass


class SignupForm(NeedsMail, BaseSignupForm):  # type: ignore[misc]
    """Signing up with a taken address costs the same time as with a free one, so that timing reveals
    nothing.
    """

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        if self.account_already_exists:
            self._make_and_discard(request)
        made: tuple[User | None, HttpResponse | None] = super().try_save(request)
        return made

    def _make_and_discard(self, request: HttpRequest) -> None:
        """Stores an account that nobody has, and takes it back: the same hash, the same statements."""
        address = self.cleaned_data["email"]
        self.cleaned_data["email"] = f"{uuid4().hex}@invalid.invalid"
        self.account_already_exists = False
        try:
            with transaction.atomic():
                self.save(request)
                transaction.set_rollback(True)
        finally:
            self.cleaned_data["email"] = address
            self.account_already_exists = True


class ResetPasswordForm(NeedsMail, BaseResetPasswordForm):  # type: ignore[misc]
    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        if not self.users:  # the cost of the queries and the token of a mail to an account
            nobody = User()
            EmailAddress.objects.filter(user_id=nobody.pk, email=self.cleaned_data["email"]).exists()
            default_token_generator.make_token(nobody)
        email: str = super().save(request, **kwargs)
        return email


class CodeForm(BaseAuthenticateForm):  # type: ignore[misc]
    """Counts wrong codes like wrong passwords (attempts.py), not by the account alone."""

    def clean_code(self) -> str:
        attempt = attempts.begin(context.request, attempts.CODES, str(self.user.pk))
        if attempt is None:
            raise AccountAdapter().validation_error("too_many_login_attempts")
        code: str = self.cleaned_data["code"]
        for authenticator in Authenticator.objects.filter(user=self.user):
            if authenticator.type != Authenticator.Type.WEBAUTHN and authenticator.wrap().validate_code(code):
                authenticator.user = self.user
                self.authenticator = authenticator
                attempt.rollback()
                return code
        raise get_mfa_adapter().validation_error("incorrect_code")


class AuthenticateForm(CodeForm):
    pass


class ReauthenticateForm(CodeForm, BaseReauthenticateForm):  # type: ignore[misc]
    pass
