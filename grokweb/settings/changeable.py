"""Reads the settings that may change while the service runs, because `settings.toml` can hold them.

grokweb/live_settings.py reads them again when that file changes; within `env.trying` they check a value that
is not stored yet.
"""

from __future__ import annotations

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from grokweb.settings import backups
from inference.base import env
from inference.base.env import InvalidSetting


def read() -> dict[str, Any]:
    """Returns Django's settings by name. Raises InvalidSetting."""
    return {"SIGNUP_OPEN": signup_is_open(), "BACKUPS": backups.plan(), **mail()}


def signup_is_open() -> bool:
    return env.flag(
        "GROKWEB_SIGNUP",
        True,
        "1: anyone who can open the page may sign up. 0: administrators create accounts.",
    )


def mail() -> dict[str, Any]:
    url = env.text(
        "EMAIL_URL",
        "",
        "Mail server, such as smtp+tls://user:password@host:587. If empty, no e-mail is sent "
        "and addresses are not verified.",
    )
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
        "EMAIL_USE_TLS": False,
        "EMAIL_USE_SSL": False,
        **(_server(url) if url else {}),
        "EMAIL_URL": url,
        "ACCOUNT_EMAIL_VERIFICATION": "mandatory" if url else "none",
        "MAIL_IN_BACKGROUND": bool(url),  # chat/accounts/mailing.py
        "MFA_ALLOW_UNVERIFIED_EMAIL": not url,  # without e-mail no address can be verified
        "DEFAULT_FROM_EMAIL": env.text("GROKWEB_FROM_EMAIL", "grokweb@localhost", "Sender of e-mails."),
    }


def _server(url: str) -> dict[str, Any]:
    try:
        return dict(environ.Env.email_url_config(url))
    except ImproperlyConfigured:  # its message names no setting, and a value may hold a password
        schemes = ", ".join(f"{each}://" for each in environ.Env.EMAIL_SCHEMES)
        raise InvalidSetting(f"{env.shown_name('EMAIL_URL')} begins with none of: {schemes}") from None
    except ValueError:  # a port that is no number
        raise InvalidSetting(
            f"{env.shown_name('EMAIL_URL')}: its port is not a number from 1 to 65535"
        ) from None
