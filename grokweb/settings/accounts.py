"""Configures accounts, passwords, login and e-mail."""

from __future__ import annotations

from grokweb.settings import changeable

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/accounts/login/"
CSRF_FAILURE_VIEW = "chat.core.views.csrf_failed"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_ADAPTER = "chat.accounts.adapter.AccountAdapter"
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_FORMS = {
    "add_email": "chat.accounts.forms.AddEmailForm",
    "signup": "chat.accounts.forms.SignupForm",
    "reset_password": "chat.accounts.forms.ResetPasswordForm",
}
MFA_FORMS = {
    "authenticate": "chat.accounts.forms.AuthenticateForm",
    "reauthenticate": "chat.accounts.forms.ReauthenticateForm",
}
# High limits per address, because a school may have one address. chat/accounts/attempts.py counts failed
# logins.
ACCOUNT_RATE_LIMITS = {
    "login": "300/m/ip",
    "login_failed": None,
    "signup": "200/m/ip",
    "reset_password": "5/m/key,200/m/ip",
    "reset_password_from_key": "200/m/ip",
}
# What may change while the service runs (grokweb/live_settings.py).
SIGNUP_OPEN = changeable.signup_is_open()
_mail = changeable.mail()
EMAIL_URL: str = _mail["EMAIL_URL"]
ACCOUNT_EMAIL_VERIFICATION: str = _mail["ACCOUNT_EMAIL_VERIFICATION"]
DEFAULT_FROM_EMAIL: str = _mail["DEFAULT_FROM_EMAIL"]
MAIL_IN_BACKGROUND: bool = _mail["MAIL_IN_BACKGROUND"]
vars().update(_mail)
EMAIL_TIMEOUT = 20
MFA_TOTP_TOLERANCE = 1  # accepts the code before the present one: people type slowly
