"""Tries out a mail server, stores it, and sends a test message. No password is on record.

`by` is None where no account acts. Each function changes everything or nothing; it raises Refusal, or a
ValueError with one line in English, or OSError.
"""

from __future__ import annotations

import re
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.core import audit
from chat.core.context import SITE_NAME
from grokweb.doctor.mail import HERE
from grokweb.first_setup.refusal import Refusal
from grokweb.first_setup.stored_settings import change
from grokweb.settings import changeable
from inference.base import env

MAIL_SECONDS = 10
SECURITY = {"tls": "smtp+tls", "ssl": "smtp+ssl", "none": "smtp"}
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class MailServer:
    """Holds the parts of EMAIL_URL. The password is shown nowhere."""

    host: str = ""
    port: int = 587
    security: str = "tls"
    user: str = ""
    password: str = ""

    @classmethod
    def of_url(cls, url: str) -> MailServer:
        split = urlsplit(url)
        security = next((name for name, scheme in SECURITY.items() if scheme == split.scheme), "tls")
        return cls(
            split.hostname or "",
            split.port or 25,
            security,
            unquote(split.username or ""),
            unquote(split.password or ""),
        )

    @property
    def url(self) -> str:
        who = quote(self.user, safe="")
        if self.password:
            who = f"{who}:{quote(self.password, safe='')}"
        return f"{SECURITY[self.security]}://{who}{'@' if who else ''}{self.host}:{self.port}"

    def is_at_the_same_place(self, other: MailServer) -> bool:
        """Returns whether a password for one may be sent to the other."""
        mine, others = (self.host, self.security, self.user), (other.host, other.security, other.user)
        return mine == others


def mail_server_here() -> MailServer:
    return MailServer.of_url(settings.EMAIL_URL) if settings.EMAIL_URL else MailServer()


def mail_server(*, host: str, port: str, security: str, user: str, password: str) -> MailServer:
    """Returns checked parts. Without a password the stored one stays, if it is for the same server."""
    host, user = host.strip(), user.strip()
    if not HOST.fullmatch(host):
        raise Refusal(_("Enter the name of the mail server, such as mail.example.org."))
    if not port.strip().isascii() or not port.strip().isdigit() or not 1 <= int(port) <= 65535:
        raise Refusal(_("The port is a number from 1 to 65535; usual are 587, 465 and 25."))
    if security not in SECURITY:
        raise Refusal(_("Choose how the connection is encrypted."))
    if not user.isprintable() or not password.isprintable():
        raise Refusal(_("User or password have characters that cannot be sent."))
    made = MailServer(host, int(port), security, user, password)
    before = mail_server_here()
    if user and not password and made.is_at_the_same_place(before):
        made = MailServer(host, int(port), security, user, before.password)
    if user and not made.password:
        raise Refusal(_("Enter the password for this server."))
    return made


def set_mail(by: User | None, server: MailServer, sender: str) -> None:
    """Stores a mail server that answers now: with one that does not, nobody could sign up or log in anew."""
    sender = sender.strip()
    try:
        validate_email(sender)
    except ValidationError:
        raise Refusal(_("The sender is an e-mail address, such as chat@example.org.")) from None
    if server.password and server.security == "none" and server.host.lower() not in HERE:
        raise Refusal(
            _("Without encryption others could read the password on its way: choose STARTTLS or TLS.")
        )
    connection = get_connection(
        backend="django.core.mail.backends.smtp.EmailBackend",
        host=server.host, port=server.port, username=server.user, password=server.password,
        use_tls=server.security == "tls", use_ssl=server.security == "ssl", timeout=MAIL_SECONDS,
    )  # fmt: skip
    try:
        connection.open()
    except OSError as error:  # smtplib's errors are OSErrors
        raise Refusal(_mail_problem(error)) from None
    finally:
        _end(connection)
    values = {"EMAIL_URL": server.url, "GROKWEB_FROM_EMAIL": sender}
    change(by, values, server=f"{server.host}:{server.port}", sender=sender)


def set_mail_url(by: User | None, url: str, sender: str) -> None:
    """Stores a mail server given as EMAIL_URL, if it names one of SMTP and answers."""
    try:
        with env.trying({"EMAIL_URL": url}):
            changeable.read()
        split = urlsplit(url)
        port = split.port
    except (env.InvalidSetting, ValueError) as error:
        raise ValueError(str(error).partition(url)[0] or "EMAIL_URL cannot be used") from None
    if split.scheme not in SECURITY.values() or not split.hostname:
        raise ValueError("EMAIL_URL: it is smtp+tls://, smtp+ssl:// or smtp:// with a host, and maybe a user")
    server = MailServer.of_url(url)
    set_mail(
        by,
        server if port else MailServer(server.host, 587, server.security, server.user, server.password),
        sender,
    )


def stop_mail(by: User | None) -> None:
    change(by, {"EMAIL_URL": ""}, server="none")


def send_test_mail(by: User, to: str) -> None:
    """Sends one message with the settings in effect and waits until the server has it."""
    words = _("This is a test message of %(site)s. E-mail works.") % {"site": SITE_NAME}
    subject = _("Test message of %(site)s") % {"site": SITE_NAME}
    connection = get_connection(timeout=MAIL_SECONDS)
    try:
        EmailMessage(subject, words, to=[to], connection=connection).send()
    except OSError as error:
        raise Refusal(_mail_problem(error)) from None
    finally:
        _end(connection)
    audit.record(by, "send test message", audit.on_model(by))


def _end(connection: BaseEmailBackend) -> None:
    """Closes a connection, also one that was refused half-way: Django leaves that open."""
    with suppress(OSError):
        connection.close()


def _mail_problem(error: OSError) -> str:
    """Says what a mail server did, without its own words, which may quote what it was sent."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return _("The mail server refuses the user or the password.")
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return _("The mail server does not support this encryption, or no login: choose another one.")
    if isinstance(error, smtplib.SMTPRecipientsRefused | smtplib.SMTPSenderRefused | smtplib.SMTPDataError):
        return _("The mail server refuses the message: check the sender and the recipient.")
    if isinstance(error, ssl.SSLError):
        return _(
            "The connection to the mail server cannot be encrypted as chosen: check port and encryption."
        )
    return _("The mail server does not answer: check its name, port and encryption.")
