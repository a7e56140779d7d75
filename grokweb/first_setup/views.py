"""The setup page in the admin: for superusers, one form for each step, usable without scripts.

A form that was carried out leads back to the page; one that was refused shows the page again with its line,
and with what was typed, except keys and passwords. The page's script asks for JSON instead where a step only
tries something out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from chat.accounts.models import User
from chat.core.errors import ChatError
from chat.core.throttling import throttle
from chat.model_cards.selection import Rule, choose_for_new_chats
from grokweb.first_setup import choices, leading, model_state
from grokweb.first_setup.missing import missing
from grokweb.first_setup.refusal import Refusal
from inference.base import env, settings_file
from inference.hub import recommended
from inference.model_dir.admission import free_memory

TRIES, MAILS, WINDOW = 20, 5, 60  # questions to servers, and test messages, of one person in so many seconds
CHANGED = ("GROKWEB_SIGNUP", "EMAIL_URL", "GROKWEB_FROM_EMAIL", "GROKWEB_LANGUAGE")


@dataclass(frozen=True, slots=True)
class Done:
    """A step that was carried out: its words, and what the page shows because of it.

    `leads_to`: the address that follows; "" shows the page at once.
    """

    words: str = ""
    leads_to: str = ""
    shown: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """A step that was refused. `language` of the words; lines for operators are in English."""

    words: str
    language: str = ""
    status: int = 400


@require_http_methods(["GET", "HEAD", "POST"])
def setup_page(request: HttpRequest) -> HttpResponseBase:
    person = _administrator(request)
    if request.method != "POST":
        return _page(request)
    name = request.POST.get("step", "")
    if name not in STEPS:
        return _page(request, refused=Refused(_("There is no such step.")))
    outcome = _carried_out(STEPS[name], request, person)
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"ok": isinstance(outcome, Done), "words": outcome.words})
    if isinstance(outcome, Refused):
        return _page(request, refused=outcome, step=name)
    if not outcome.leads_to:
        return _page(request, done=outcome, step=name)
    messages.success(request, outcome.words)
    return redirect(outcome.leads_to)


@require_safe
def setup_state(request: HttpRequest) -> HttpResponse:
    """Answers with the state of the model of new chats, which the page asks for while it waits."""
    _administrator(request)
    state = model_state.default_state()
    return JsonResponse(
        {"slug": state.slug, "kind": state.kind, "words": state.words, "percent": state.percent}
        | {"detail": state.detail}
    )


def _administrator(request: HttpRequest) -> User:
    """Raises PermissionDenied for staff who may not change everything; the admin turns others away."""
    if not isinstance(request.user, User) or not request.user.is_superuser:
        raise PermissionDenied
    return request.user


# --- Steps ------------------------------------------------------------------------------------------------

Step = Callable[[HttpRequest, User], Done]


def _carried_out(step: Step, request: HttpRequest, person: User) -> Done | Refused:
    try:
        return step(request, person)
    except Refusal as error:
        return Refused(str(error))
    except ChatError as error:
        return Refused(error.words, status=error.http_status)
    except ValueError as error:  # lines for operators: ModelUnusable, CannotEdit, Unreadable
        return Refused(str(error), "en")
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
    trial = choices.try_server(person, **_server_fields(request))
    about = {"seconds": formats.number_format(round(trial.seconds, 1), 1), "text": trial.text}
    if not trial.text:
        return Done(_("It answers without text after %(seconds)s s.") % about)
    return Done(_("It answers after %(seconds)s s: “%(text)s”") % about)


def _server(request: HttpRequest, person: User) -> Done:
    throttle("setup-try", str(person.pk), TRIES, WINDOW)
    slug = choices.choose_server(person, **_server_fields(request))
    return _back(_("New chats get %(slug)s.") % {"slug": slug}, "model")


def _server_fields(request: HttpRequest) -> dict[str, str]:
    return {name: _text(request, name) for name in ("url", "model", "key", "key_name")}


def _name(request: HttpRequest, person: User) -> Done:
    name = _text(request, "name") or _text(request, "recommended")
    if not name:
        raise Refusal(_("Choose a model, or enter the name of one, such as owner/name."))
    slug = choices.choose_name(person, name)
    return _back(_("New chats get %(slug)s.") % {"slug": slug}, "model")


def _sign_up(request: HttpRequest, person: User) -> Done:
    choices.set_sign_up(person, request.POST.get("open") == "1")
    return _back(_("Saved. It is in effect."), "sign-up")


def _mail(request: HttpRequest, person: User) -> Done:
    throttle("setup-try", str(person.pk), TRIES, WINDOW)
    server = choices.mail_server(
        host=_text(request, "host"),
        port=_text(request, "port"),
        security=_text(request, "security"),
        user=_text(request, "user"),
        password=request.POST.get("password", ""),
    )
    choices.set_mail(person, server, _text(request, "sender"))
    return _back(_("Saved. It is in effect: the mail server answered."), "mail")


def _no_mail(request: HttpRequest, person: User) -> Done:
    choices.stop_mail(person)
    return _back(_("Saved. No e-mail is sent."), "mail")


def _test_mail(request: HttpRequest, person: User) -> Done:
    throttle("setup-mail", str(person.pk), MAILS, WINDOW)
    if not settings.EMAIL_URL:
        raise Refusal(_("Save a mail server first."))
    choices.send_test_mail(person, person.email)
    return Done(_("The mail server has taken a message for %(email)s.") % {"email": person.email})


def _language(request: HttpRequest, person: User) -> Done:
    choices.set_language(person, _text(request, "language"))
    return _back(_("Saved. It takes effect at the next start of the service."), "language")


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
    "skip": _skip,
    "finish": _finish,
}
# The part of the page where the words of a step are shown.
PARTS = {
    **dict.fromkeys(("search", "try", "server", "name"), "model"),
    **dict.fromkeys(("mail", "no-mail", "test-mail"), "mail"),
    "sign-up": "sign-up",
    "language": "language",
}


# --- The page ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recommended:
    """A model by name, with what it needs, and whether it fits this machine now."""

    repository: str
    licence: str
    download: str
    memory: str
    fits: bool
    why_not: str


def _recommended() -> list[Recommended]:
    memory, disk = free_memory(), shutil.disk_usage(settings.DATA_DIR).free
    return [_recommendation(each, memory, disk) for each in recommended.by_name()]


def _recommendation(network: recommended.Network, memory: int | None, disk: int) -> Recommended:
    why = ""
    if memory is not None and network.memory > memory:
        why = _("only %(free)s GB of memory are free") % {"free": _gb(memory)}
    elif network.download > disk:
        why = _("only %(free)s GB of the disk are free") % {"free": _gb(disk)}
    return Recommended(
        network.repository, network.licence, _gb(network.download), _gb(network.memory), not why, why
    )


def _gb(size: int) -> str:
    return formats.number_format(round(size / 1e9, 1), 1)


def _page(
    request: HttpRequest, *, refused: Refused | None = None, done: Done | None = None, step: str = ""
) -> HttpResponse:
    typed = {name: request.POST.get(name, "") for name in ("url", "model", "key_name", "name", "recommended")}
    about = {
        **admin.site.each_context(request),
        "title": _("Setup"),
        "is_done": leading.is_done(),
        "missing": list(missing()),
        "state": model_state.default_state(),
        "chosen_by_staff": _chosen_by_staff(),
        "fixed": {name: env.is_in_environment(name) for name in CHANGED},
        "recommended": _recommended(),
        "typed": typed,
        "mail": choices.mail_server_here(),
        "securities": _securities(),
        "sender": settings.DEFAULT_FROM_EMAIL,
        "languages": settings.LANGUAGES,
        "language": settings.LANGUAGE_CODE,
        "next_language": _stored_language(),
        "part": PARTS.get(step, ""),
        "words": refused.words if refused else done.words if done else "",
        "is_refused": refused is not None,
        "words_language": refused.language if refused else "",
        "is_open": settings.SIGNUP_OPEN,
        **(done.shown if done else {}),
    }
    if step == "mail":
        entered = {name: request.POST.get(name, "") for name in ("host", "port", "security", "user")}
        about |= {"mail": entered, "sender": request.POST.get("sender", "")}
    return render(request, "admin/setup.html", about, status=refused.status if refused else 200)


def _securities() -> list[tuple[str, str]]:
    return [
        ("tls", _("STARTTLS, usually port 587")),
        ("ssl", _("TLS from the start, usually port 465")),
        ("none", _("none: only for a server on this machine")),
    ]


def _chosen_by_staff() -> str:
    """Returns the name of a model that staff made the default, which comes before the one chosen here."""
    choice = choose_for_new_chats()
    return choice.card.shown_name if choice and choice.rule is Rule.STAFF else ""


def _stored_language() -> str:
    """Returns the language after the next start."""
    if env.is_in_environment("GROKWEB_LANGUAGE"):
        return str(settings.LANGUAGE_CODE)
    try:
        return settings_file.stored().get("GROKWEB_LANGUAGE", "") or "en"
    except settings_file.FileUnusable:
        return str(settings.LANGUAGE_CODE)
