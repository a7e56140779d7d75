"""Stores settings that an administrator changes, and records them in the audit log.

`by` is None where no account acts. Each function changes everything or nothing; it raises Refusal, or a
ValueError with one line in English, or OSError.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.core import audit
from grokweb.first_setup.refusal import Refusal
from grokweb.settings import changeable
from inference.base import env, settings_file


def check(values: Mapping[str, str]) -> None:
    """Raises unless these settings may be stored: what reads them later must accept them."""
    fixed = [name for name in values if env.is_in_environment(name)]
    if fixed:
        raise Refusal(_("%(name)s is set by the environment of the service.") % {"name": fixed[0]})
    language = values.get("GROKWEB_LANGUAGE", "")
    if language and language not in dict(settings.LANGUAGES):
        raise Refusal(_("There is no such language here."))
    try:
        with env.trying(values):
            changeable.read()
    except env.InvalidSetting as error:
        raise ValueError(str(error)) from None


def change(by: User | None, values: Mapping[str, str], **detail: str) -> None:
    """Checks settings and stores them. `detail` replaces values in the audit."""
    check(values)
    try:
        settings_file.store(values)
    except settings_file.FileUnusable as error:
        raise ValueError(str(error)) from None
    audit.record(by, "change settings", "settings", **(detail or dict(values)))


def set_sign_up(by: User | None, is_open: bool) -> None:
    change(by, {"GROKWEB_SIGNUP": "1" if is_open else "0"})


def set_language(by: User | None, code: str) -> None:
    change(by, {"GROKWEB_LANGUAGE": code})
