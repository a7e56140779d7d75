"""Carries out the steps of the setup page: reads a form, calls what it chooses, and says what was done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.core.errors import ChatError
from chat.core.lines import shown_line
from chat.core.throttling import throttle
from grokweb.first_setup import backups, leading, mail, model_choice, stored_settings
from grokweb.first_setup.refusal import Refusal
from inference.base import settings_file
from inference.base.lines import line_of

TRIES, MAILS, WINDOW = 20, 5, 60  # questions to servers, and test messages, of one person in so many seconds


@dataclass(frozen=True, slots=True)
class Done:
    """Holds a step that was carried out: its words, and what the page shows because of it.

    `leads_to`: the address that follows; "" shows the page at once.
    """

    words: str = ""
    leads_to: str = ""
    shown: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """Holds a step that was refused, with the language of its words if it may not be the reader's."""

    words: str
    language: str = ""
    status: int = 400


Step = Callable[[HttpRequest, User], Done]


def carried_out(step: Step, request: HttpRequest, person: User) -> Done | Refused:
    try:
        return step(request, person)
    except Refusal as error:
        return Refused(str(error))
    except ChatError as error:
        return Refused(error.words, status=error.http_status)
    except ValueError as error:  # lines for operators: ModelUnusable, CannotEdit, Unreadable
        line = shown_line(line_of(error))
        return Refused(line.words, line.language)
    except OSError as error:
        return Refused(_("It could not be stored: %(why)s") % {"why": error.strerror or type(error).__name__})


def _text(request: HttpRequest, name: str) -> str:
    """Returns a field on one line. Raises Refusal for one that is no text."""
    value = request.POST.get(name, "").strip()
    if len(value) > settings_file.LONGEST_VALUE or not (value.isprintable() or not value):
        raise Refusal(_("A field is too long, or has characters that cannot be used."))
    return value


def _back(words: str, part: str) -> Done:
    return Done(words, f"{reverse('setup')}#{part}")


def _search(request: HttpRequest, person: User) -> Done:
    throttle("setup-try", str(person.pk), TRIES, WINDOW)
    from grokweb.first_setup import servers

    return Done(shown={"found": servers.search(), "has_searched": True})


def _try_out(request: HttpRequest, person: User) -> Done:
    throttle("setup-try", str(person.pk), TRIES, WINDOW)
    trial = model_choice.try_server(person, **_server_fields(request))
    about = {"seconds": formats.number_format(round(trial.seconds, 1), 1), "text": trial.text}
    if not trial.text:
        return Done(_("It answers without text after %(seconds)s s.") % about)
    return Done(_("It answers after %(seconds)s s: “%(text)s”") % about)


def _server(request: HttpRequest, person: User) -> Done:
    throttle("setup-try", str(person.pk), TRIES, WINDOW)
    slug = model_choice.choose_server(person, **_server_fields(request))
    return _back(_("New chats get %(slug)s.") % {"slug": slug}, "model")


def _server_fields(request: HttpRequest) -> dict[str, str]:
    return {name: _text(request, name) for name in ("url", "model", "key", "key_name")}


def _name(request: HttpRequest, person: User) -> Done:
    name = _text(request, "name") or _text(request, "recommended")
    if not name:
        raise Refusal(_("Choose a model, or enter the name of one, such as owner/name."))
    slug = model_choice.choose_name(person, name)
    return _back(_("New chats get %(slug)s.") % {"slug": slug}, "model")


def _sign_up(request: HttpRequest, person: User) -> Done:
    stored_settings.set_sign_up(person, request.POST.get("open") == "1")
    return _back(_("Saved. It is in effect."), "sign-up")


def _mail(request: HttpRequest, person: User) -> Done:
    throttle("setup-try", str(person.pk), TRIES, WINDOW)
    server = mail.mail_server(
        host=_text(request, "host"),
        port=_text(request, "port"),
        security=_text(request, "security"),
        user=_text(request, "user"),
        password=request.POST.get("password", ""),
    )
    mail.set_mail(person, server, _text(request, "sender"))
    return _back(_("Saved. It is in effect: the mail server answered."), "mail")


def _no_mail(request: HttpRequest, person: User) -> Done:
    mail.stop_mail(person)
    return _back(_("Saved. No e-mail is sent."), "mail")


def _test_mail(request: HttpRequest, person: User) -> Done:
    throttle("setup-mail", str(person.pk), MAILS, WINDOW)
    if not settings.EMAIL_URL:
        raise Refusal(_("Save a mail server first."))
    mail.send_test_mail(person, person.email)
    return Done(_("The mail server has taken a message for %(email)s.") % {"email": person.email})


def _language(request: HttpRequest, person: User) -> Done:
    stored_settings.set_language(person, _text(request, "language"))
    return _back(_("Saved. It takes effect at the next start of the service."), "language")


def _backups(request: HttpRequest, person: User) -> Done:
    fields = {name: _text(request, name) for name in ("folder", "hours", "keep")}
    backups.set_backups(person, **fields)
    return _back(_("Saved. The first backup in a new folder is made within two minutes."), "backups")


def _no_backups(request: HttpRequest, person: User) -> Done:
    backups.stop_backups(person)
    return _back(_("Saved. The service makes no backups."), "backups")


def _skip(request: HttpRequest, person: User) -> Done:
    leading.close(person, leading.SKIPPED)
    return Done(_("You find this page again in the administration, under “Setup”."), reverse("home"))


def _finish(request: HttpRequest, person: User) -> Done:
    leading.close(person, leading.FINISHED)
    return Done(_("The setup is finished."), reverse("home"))


STEPS: dict[str, Step] = {
    "search": _search,
    "try": _try_out,
    "server": _server,
    "name": _name,
    "sign-up": _sign_up,
    "mail": _mail,
    "no-mail": _no_mail,
    "test-mail": _test_mail,
    "language": _language,
    "backups": _backups,
    "no-backups": _no_backups,
    "skip": _skip,
    "finish": _finish,
}
