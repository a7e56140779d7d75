"""Makes the setup page: what is missing, what is set, what was typed, and what a step said."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import formats
from django.utils.translation import gettext as _

from chat.model_cards.selection import Rule, choose_for_new_chats
from grokweb.doctor.backups import newest
from grokweb.first_setup import backups, leading, mail, model_state
from grokweb.first_setup.missing import missing
from grokweb.first_setup.steps import Done, Refused
from grokweb.settings.backups import NAMES as BACKUP_NAMES
from grokweb.settings.backups import BackupPlan
from inference.base import env, settings_file
from inference.hub import recommended
from inference.model_dir.admission import free_memory

CHANGED = ("GROKWEB_SIGNUP", "EMAIL_URL", "GROKWEB_FROM_EMAIL", "GROKWEB_LANGUAGE")
# The part of the page where the words of a step are shown.
PARTS = {
    **dict.fromkeys(("search", "try", "server", "name"), "model"),
    **dict.fromkeys(("mail", "no-mail", "test-mail"), "mail"),
    **dict.fromkeys(("backups", "no-backups"), "backups"),
    "sign-up": "sign-up",
    "language": "language",
}


def page(
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
        "mail": mail.mail_server_here(),
        "securities": _securities(),
        "sender": settings.DEFAULT_FROM_EMAIL,
        "languages": settings.LANGUAGES,
        "language": settings.LANGUAGE_CODE,
        "next_language": _stored_language(),
        "backups": _backup_fields(settings.BACKUPS),
        "backup_intervals": backups.offered(settings.BACKUPS),
        "backup_words": newest().words if settings.BACKUPS.is_on else "",
        "are_backups_fixed": any(env.is_in_environment(name) for name in BACKUP_NAMES),
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
    if step == "backups":
        about["backups"] = {name: request.POST.get(name, "") for name in ("folder", "keep", "hours")}
    return render(request, "admin/setup.html", about, status=refused.status if refused else 200)


def _backup_fields(plan: BackupPlan) -> dict[str, str]:
    return {"folder": str(plan.folder or ""), "hours": str(plan.hours), "keep": str(plan.keep)}


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


@dataclass(frozen=True, slots=True)
class Recommended:
    """Describes a model by name, with what it needs, and whether it fits this machine now."""

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
