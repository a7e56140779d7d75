"""Configures functions of the pages, search and languages."""

from __future__ import annotations

from pathlib import Path

from grokweb.languages import SOURCE_LANGUAGE, languages_in
from inference.base import env
from inference.base.env import InvalidSetting
from inference.settings import BASE_DIR

SPEECH = env.flag(
    "GROKWEB_SPEECH",
    True,
    "1: offer dictation and reading aloud by the browser, which may send audio and text "
    "to the browser's vendor.",
)
SHARES_OF_SUSPENDED = env.flag(
    "GROKWEB_SUSPENDED_SHARES",
    False,
    "1: shared pages of suspended users stay open, with a note. 0: they are closed until "
    "the suspension ends.",
)
SEARCH_BACKEND = env.text(
    "GROKWEB_SEARCH",
    "",
    "Installed search back end by its name; the database's own search if empty.",
)
if SEARCH_BACKEND:
    from chat.search.backends import BACKENDS  # reads what distributions offer: only where one is named

    if SEARCH_BACKEND not in BACKENDS:
        raise InvalidSetting(f"GROKWEB_SEARCH={SEARCH_BACKEND!r} is not one of: {', '.join(BACKENDS)}")

TOOLS = env.words(
    "GROKWEB_TOOLS",
    "",
    "Comma-separated names of the installed tools that models may call; none if empty.",
)
if TOOLS:
    from chat.tools.registry import TOOLS as INSTALLED_TOOLS

    for _name in TOOLS:
        if _name not in INSTALLED_TOOLS:
            _known = ", ".join(INSTALLED_TOOLS) or "none"
            raise InvalidSetting(f"GROKWEB_TOOLS: there is no tool {_name!r}; installed: {_known}")

MORE_LANGUAGES = env.text(
    "GROKWEB_LOCALE", "", "Folder of further translations, `<locale>/LC_MESSAGES/django.po`; none if empty."
)
LOCALE_PATHS = [*([Path(MORE_LANGUAGES)] if MORE_LANGUAGES else []), BASE_DIR / "locale"]
LANGUAGES = languages_in(LOCALE_PATHS)
LANGUAGE_CODE = env.text(
    "GROKWEB_LANGUAGE",
    SOURCE_LANGUAGE,
    "Language of the pages for people who have chosen none and whose browser asks for none that there is.",
)
if LANGUAGE_CODE not in dict(LANGUAGES):
    raise InvalidSetting(
        f"{env.shown_name('GROKWEB_LANGUAGE')}={LANGUAGE_CODE!r} is not one of: "
        f"{', '.join(code for code, _name in LANGUAGES)}"
    )
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
