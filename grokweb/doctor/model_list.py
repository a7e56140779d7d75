"""Checks the models that `manage.py up` serves: their file, what it names, and what `up` says of them."""

from __future__ import annotations

import os

from django.conf import settings
from django.utils.translation import gettext as _

from chat.core.lines import translated
from chat.model_cards.selection import choose_for_new_chats
from grokweb.doctor.results import CheckResult, ok, printable, problem, warning
from grokweb.model_check import problems_of
from inference.base.lines import english, line_of
from inference.base.model_list import state
from inference.base.model_list.entries import Unreadable, read


def models() -> CheckResult:
    return _models(asks=True)


def models_as_written() -> CheckResult:
    """Asks no server. Whether the keys in variables are there is known to `up` alone, which tells."""
    return _models(asks=False)


def _models(*, asks: bool) -> CheckResult:
    try:
        found = read(settings.DATA_DIR)
    except Unreadable as error:
        return problem(printable(translated(line_of(error))))
    wrong = list(problems_of(found, os.environ, asks=asks))
    service = state.published(settings.RUN_DIR)
    for slug, worker in service.models.items() if service else ():
        if worker.step is state.Step.REFUSED and not any(f"[{slug}]" in line for line in wrong):
            wrong.append(english("[%(slug)s] %(why)s", slug=slug, why=worker.problem))
    if wrong:
        return problem("; ".join(map(translated, wrong)))
    if not found.entries:
        return ok(_("no models.toml: only GROKWEB_MODEL is served"))
    return ok(_("models.toml is right: %(slugs)s") % {"slugs": ", ".join(found.entries)})


def default_model() -> CheckResult:
    choice = choose_for_new_chats()
    if choice is None:
        return warning(_("new chats have none yet: start the service, or choose one at /admin/setup/"))
    if choice.card.is_demo:
        return warning(
            _("new chats get the demo model, which knows little: choose another one at /admin/setup/")
        )
    return ok(_("new chats get %(name)s") % {"name": choice.card.shown_name})
