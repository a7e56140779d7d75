"""Checks the mail server: connects, encrypts, logs in, and sends nothing."""

from __future__ import annotations

import smtplib
import ssl

from django.conf import settings
from django.utils.translation import gettext as _

from grokweb.doctor.results import OK, CheckResult, ok, problem, reason, warning

SECONDS = 10
HERE = {"localhost", "127.0.0.1", "::1"}
SMTP = "django.core.mail.backends.smtp.EmailBackend"


def server_as_set() -> CheckResult:
    """Looks at the setting, without a connection."""
    if not settings.EMAIL_URL:
        return warning(
            _("none is set, so that addresses are not verified and no password can be reset: set EMAIL_URL")
        )
    if SMTP != settings.EMAIL_BACKEND:
        return warning(_("EMAIL_URL names no mail server, so that no e-mail reaches anybody"))
    return ok(f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}")


def server() -> CheckResult:
    found = server_as_set()
    if found.level != OK:
        return found
    where = {"host": settings.EMAIL_HOST, "port": settings.EMAIL_PORT}
    try:
        with _connected() as client:
            return _spoken_with(client, where)
    except smtplib.SMTPAuthenticationError:
        return problem(
            _("%(host)s:%(port)s refuses the login: correct the user and password in EMAIL_URL") % where
        )
    except smtplib.SMTPNotSupportedError as error:
        words = _(
            "%(host)s:%(port)s does not support what EMAIL_URL requires (%(why)s): correct its scheme or port"
        )
        return problem(words % {**where, "why": reason(error)})
    except ssl.SSLError as error:
        words = _(
            "%(host)s:%(port)s does not encrypt as asked (%(why)s): correct EMAIL_URL, or its certificate"
        )
        return problem(words % {**where, "why": reason(error)})
    except (OSError, smtplib.SMTPException) as error:
        words = _("%(host)s:%(port)s does not answer as a mail server (%(why)s): correct EMAIL_URL")
        return problem(words % {**where, "why": reason(error)})


def _connected() -> smtplib.SMTP:
    host, port = settings.EMAIL_HOST, settings.EMAIL_PORT
    if getattr(settings, "EMAIL_USE_SSL", False):
        return smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=SECONDS)


def _spoken_with(client: smtplib.SMTP, where: dict[str, object]) -> CheckResult:
    client.ehlo_or_helo_if_needed()
    encrypted = getattr(settings, "EMAIL_USE_SSL", False)
    if getattr(settings, "EMAIL_USE_TLS", False):
        client.starttls(context=ssl.create_default_context())
        client.ehlo()
        encrypted = True
    if settings.EMAIL_HOST_USER:
        client.login(settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD)
    if not encrypted and settings.EMAIL_HOST not in HERE:
        words = _(
            "%(host)s:%(port)s answers, without encryption: use smtp+tls:// or smtp+ssl:// in EMAIL_URL"
        )
        return warning(words % where)
    return ok(_("%(host)s:%(port)s answers; nothing was sent") % where)
