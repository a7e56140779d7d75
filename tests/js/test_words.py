"""The French catalogues know every word of the templates and modules, with the same placeholders."""

from __future__ import annotations

import re
from pathlib import Path

import polib
import pytest

ROOT = Path(__file__).parents[2]
CATALOGUES = ROOT / "locale" / "fr" / "LC_MESSAGES"
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|</?\w+>")
IN_TEMPLATES = re.compile(r"""\{% trans (?:"([^"]+)"|'([^']+)') %\}""")
IN_MODULES = re.compile(r"""\bgettext\("((?:[^"\\]|\\.)+)"\)""")


def known(name: str) -> set[str]:
    return {entry.msgid for entry in polib.pofile(str(CATALOGUES / name)) if entry.translated()}


@pytest.mark.parametrize("name", ["django.po", "djangojs.po"])
def test_every_entry_is_translated_with_its_placeholders(name: str) -> None:
    for entry in polib.pofile(str(CATALOGUES / name)):
        assert entry.translated(), entry.msgid  # filled in, and not fuzzy
        for text in entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]:
            assert set(PLACEHOLDER.findall(text)) == set(PLACEHOLDER.findall(entry.msgid)), entry.msgid


def test_templates() -> None:
    words = known("django.po")
    for path in sorted((ROOT / "templates").rglob("*.html")):
        found = {one or other for one, other in IN_TEMPLATES.findall(path.read_text())}
        assert found <= words, f"{path.name}: {found - words}"


def test_modules() -> None:
    words = known("djangojs.po")
    for path in sorted((ROOT / "static" / "js").rglob("*.js")):
        found = set(IN_MODULES.findall(path.read_text()))
        assert found <= words, f"{path.name}: {found - words}"
