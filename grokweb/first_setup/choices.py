"""Carries out what an administrator chooses, and records it in the audit log without any secret.

`by` is None where no account acts. Each function changes everything or nothing; it raises Refusal, or a
ValueError with one line in English, or OSError.
"""

from __future__ import annotations

import os
import re
import smtplib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
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
from grokweb.model_adding import absolute, add_model, change_key, may_change_key
from grokweb.settings import changeable
from inference.base import env, settings_file
from inference.base.model_list import editing
from inference.base.model_list.entries import OWN_SECRETS, VARIABLE, Entry, read, secret_names
from inference.hub.names import parse_name
from inference.model_dir.headers import ModelUnusable
from inference.servers.address import parse_address

if TYPE_CHECKING:
    from grokweb.first_setup.servers import Trial

MAIL_SECONDS = 10
SECURITY = {"tls": "smtp+tls", "ssl": "smtp+ssl", "none": "smtp"}
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


# --- The model --------------------------------------------------------------------------------------------


def address_of(url: str, model: str) -> str:
    """Returns `URL#model`, checked. Raises Refusal and ModelUnusable."""
    url, _mark, named = url.strip().partition("#")
    model = model.strip() or named.strip()
    if not url:
        raise Refusal(_("Enter the address of the server, such as http://localhost:11434/v1."))
    if not model:
        raise Refusal(_("Enter the model's name, as the server calls it."))
    parse_address(f"{url}#{model}")
    return f"{url}#{model}"


def try_server(by: User | None, *, url: str, model: str, key: str = "", key_name: str = "") -> Trial:
    """Asks a model behind a URL one short question. Raises Refusal and ModelUnusable."""
    source = _checked(url, model, key, key_name)
    secret = _key_named(key_name) if key_name else key
    from grokweb.first_setup import servers  # loads the engine's HTTP client

    _record_asking(by, source, key, key_name)
    return servers.try_out(source, secret)


def _checked(url: str, model: str, key: str, key_name: str) -> str:
    """Returns the source of a model whose key, if it has one, may be sent to its server."""
    source = address_of(url, model)
    if key and key_name:
        raise Refusal(_("Give the key or the name of a variable, not both."))
    if key_name:
        _check_key_name(key_name, source)
    return source


def _check_key_name(name: str, source: str) -> None:
    """Refuses files, secrets of the service and keys of other servers: they must not be sent to this one."""
    if not VARIABLE.fullmatch(name):
        raise Refusal(_("A variable's name has capital letters, digits and underscores, such as QWEN_KEY."))
    named_by = [entry for entry in read(settings.DATA_DIR).entries.values() if entry.key == name]
    bases = _bases(source)
    is_of_another = named_by and not any(bases <= _bases(entry.source) for entry in named_by)
    if _is_setting(name) or name in OWN_SECRETS or is_of_another:
        raise Refusal(
            _("%(name)s is for something else, which this server must not get: use another variable.")
            % {"name": name}
        )


def _is_setting(name: str) -> bool:
    deprecated = env.DEPRECATED.values()
    return name.startswith("GROKWEB_") or name in {*env.KNOWN, *deprecated, "DATABASE_URL", "REDIS_URL"}


def _bases(source: str) -> frozenset[str]:
    """Returns the base URLs of a source, none for a model that runs here."""
    try:
        return frozenset(parse_address(source).bases)
    except ModelUnusable:
        return frozenset()


def _record_asking(by: User | None, source: str, key: str, key_name: str) -> None:
    """Records which server gets which key, before it does."""
    served = parse_address(source)
    hosts = ", ".join(urlsplit(base).netloc for base in served.bases)
    about = key_name or ("entered" if key else "none")
    audit.record(by, "ask model server", "setup", server=hosts, model=served.model, key=about)


def _key_named(name: str) -> str:
    """Returns the key in an environment variable. Raises Refusal."""
    if name in _held_back() or not os.environ.get(name):
        raise Refusal(
            _("This process does not have the variable %(name)s: it cannot be tested here.") % {"name": name}
        )
    return os.environ[name]


def _held_back() -> frozenset[str]:
    """Returns the variables that only workers of models get; `manage.py up` has them."""
    return OWN_SECRETS | secret_names(read(settings.DATA_DIR).entries.values())


def choose_server(by: User | None, *, url: str, model: str, key: str = "", key_name: str = "") -> str:
    """Makes a model behind a URL that of new chats. Returns its slug."""
    key, key_name = key.strip(), key_name.strip()
    source = _checked(url, model, key, key_name)
    _record_asking(by, source, key, key_name)
    return _choose(by, source, key=key, key_name=key_name)


def choose_name(by: User | None, name: str) -> str:
    """Makes a model of a hub that of new chats; its worker fetches it. Returns its slug."""
    return _choose(by, str(parse_name(name.strip())))


def choose_source(by: User | None, source: str, *, key: str = "", key_name: str = "") -> str:
    """Makes anything that `models add` accepts the model of new chats. Returns its slug.

    For people with a shell: `key_name` may also be the path of a file.
    """
    if _is_setting(key_name) and key_name != "GROKWEB_MODEL_KEY":
        raise Refusal(_("%(name)s is a setting of the service, not the key of a model.") % {"name": key_name})
    return _choose(by, source, key=key, key_name=key_name)


def _choose(by: User | None, source: str, *, key: str = "", key_name: str = "") -> str:
    known = _entry_of(source)
    if known is None:
        try:
            slug = _add(source, key, key_name)
        except editing.CannotEdit:
            known = _entry_of(source)  # another request has added it meanwhile, such as a second click
            if known is None:
                raise
    if known is not None:
        slug = known.slug
        _change_key(known, key, key_name)
        editing.set_default(settings.DATA_DIR, slug)
    audit.record(by, "choose model", f"model:{slug}", source=source, key=_about_key(key, key_name))
    return slug


def _add(source: str, key: str, key_name: str) -> str:
    values = {"key": key_name} if key_name else {}
    return add_model(
        source, values=values, secret=key, is_default=True, is_numbered=True, held_back=_held_back()
    ).slug


def _change_key(known: Entry, key: str, key_name: str) -> None:
    """Changes the key of a model that is there already, if another one was given."""
    if not key and key_name in ("", known.key):
        return
    if not may_change_key(known):
        raise Refusal(
            _("%(slug)s is there already, with the key in %(name)s: change that one, or leave the key empty.")
            % {"slug": known.slug, "name": known.key}
        )
    if not change_key(known, key_name=key_name, secret=key, held_back=_held_back()):
        raise Refusal(
            _("The server does not answer, so that the new key cannot be tested: the old one stays.")
        )


def _entry_of(source: str) -> Entry | None:
    source = absolute(source)
    entries = read(settings.DATA_DIR).entries.values()
    return next((entry for entry in entries if entry.source == source), None)


def _about_key(key: str, key_name: str) -> str:
    return key_name or ("in a file" if key else "none")


# --- Settings ---------------------------------------------------------------------------------------------


def change(by: User | None, values: Mapping[str, str], **detail: str) -> None:
    """Checks settings with what reads them later, and stores them. `detail` replaces values in the audit."""
    fixed = [name for name in values if env.is_in_environment(name)]
    if fixed:
        raise Refusal(_("%(name)s is set by the environment of the service.") % {"name": fixed[0]})
    language = values.get("GROKWEB_LANGUAGE", "")
    if language and language not in dict(settings.LANGUAGES):
        raise Refusal(_("There is no such language here."))
    try:
        with env.trying(values):
            changeable.read()
        settings_file.store(values)
    except (env.InvalidSetting, settings_file.FileUnusable) as error:
        raise ValueError(str(error)) from None
    audit.record(by, "change settings", "settings", **(detail or dict(values)))


def set_sign_up(by: User | None, is_open: bool) -> None:
    change(by, {"GROKWEB_SIGNUP": "1" if is_open else "0"})


def set_language(by: User | None, code: str) -> None:
    change(by, {"GROKWEB_LANGUAGE": code})


# --- E-mail -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MailServer:
    """The parts of EMAIL_URL. The password is shown nowhere."""

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
