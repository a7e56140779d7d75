"""Finds the languages of the pages: English, and every language that has a catalogue.

A catalogue is `<folder>/<locale>/LC_MESSAGES/django.po`, and `djangojs.po` beside it for the scripts. What it
leaves untranslated is shown in English.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from django.conf.locale import LANG_INFO
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as name_from_django
from django.utils.translation import to_language

SOURCE_LANGUAGE = "en"  # of the texts in the code
CATALOGUES = "*/LC_MESSAGES/*.po"


def languages_in(folders: Iterable[Path]) -> list[tuple[str, str | Promise]]:
    """Returns (code, name) of each language, English first. Django translates the names."""
    found = {
        to_language(path.parent.parent.name)
        for folder in folders
        for path in folder.glob(CATALOGUES)
        if path.name == "django.po"
    }
    codes = [SOURCE_LANGUAGE, *sorted(found - {SOURCE_LANGUAGE})]
    return [(code, name_from_django(str(LANG_INFO.get(code, {}).get("name", code)))) for code in codes]


def compile_catalogues(folder: Path) -> None:
    """Compiles what is newer than its compiled file, without GNU gettext."""
    for path in folder.glob(CATALOGUES):
        compiled = path.with_suffix(".mo")
        if not compiled.exists() or compiled.stat().st_mtime < path.stat().st_mtime:
            import polib  # type: ignore[import-untyped, unused-ignore]

            polib.pofile(str(path)).save_as_mofile(str(compiled))
