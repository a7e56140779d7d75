"""The French catalogues translate every text of Python, templates and modules, with the same placeholders."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import polib
import pytest
from django.utils.translation.template import templatize

ROOT = Path(__file__).parents[2]
CATALOGUES = ROOT / "locale" / "fr" / "LC_MESSAGES"
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]|</?\w+>")
# A call of gettext and its kin with its words, as Django's templatize() and our modules write it.
LITERAL = r"""u?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
CALL = re.compile(rf"\b(n?gettext|_)\(\s*{LITERAL}(?:\s*,\s*{LITERAL})?", re.DOTALL)
IN_PYTHON = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
IN_PYTHON |= {"english"}  # lines of workers that pages translate: inference/base/lines.py
CODE = ("chat", "grokweb", "inference")
GLUE = re.compile(r"\W*")  # a line that only joins others


def known(name: str) -> set[str]:
    return {entry.msgid for entry in polib.pofile(str(CATALOGUES / name)) if entry.translated()}


def in_python(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
        if isinstance(node, ast.Call) and name in IN_PYTHON:
            said = node.args[0]
            if path.name == "lines.py" and not isinstance(said, ast.Constant):
                continue
            assert isinstance(said, ast.Constant), f"{path.name}:{node.lineno}: words must be written out"
            words = str(said.value)
            if name != "english" or not GLUE.fullmatch(PLACEHOLDER.sub("", words)):
                yield words


def in_template(path: Path) -> Iterator[str]:
    for found in CALL.finditer(templatize(path.read_text(), origin=str(path))):
        yield str(ast.literal_eval(found[2]))


def in_module(path: Path) -> Iterator[str]:
    for found in CALL.finditer(path.read_text()):
        if found[1] != "_" and found[2].startswith('"'):
            yield str(json.loads(found[2]))


@pytest.mark.parametrize("name", ["django.po", "djangojs.po"])
def test_every_entry_is_translated_with_its_placeholders(name: str) -> None:
    for entry in polib.pofile(str(CATALOGUES / name)):
        assert entry.translated(), entry.msgid  # filled in, and not fuzzy
        assert not entry.obsolete, entry.msgid
        for text in entry.msgstr_plural.values() if entry.msgid_plural else [entry.msgstr]:
            assert text.strip(), entry.msgid
            assert set(PLACEHOLDER.findall(text)) == set(PLACEHOLDER.findall(entry.msgid)), entry.msgid


def test_texts_in_python_are_in_the_catalogue() -> None:
    words = known("django.po")
    for path in sorted(path for folder in CODE for path in (ROOT / folder).rglob("*.py")):
        found = set(in_python(path)) - {""}
        assert found <= words, f"{path}: {found - words}"


def test_texts_in_templates_are_in_the_catalogue() -> None:
    words = known("django.po")
    for path in sorted((ROOT / "templates").rglob("*.html")):
        found = set(in_template(path))
        assert found <= words, f"{path.name}: {found - words}"


def test_texts_in_modules_are_in_the_catalogue() -> None:
    words = known("djangojs.po")
    for path in sorted((ROOT / "static" / "js").rglob("*.js")):
        found = set(in_module(path))
        assert found <= words, f"{path.name}: {found - words}"
        calls = len(re.findall(r"(?<![\w.])n?gettext\((?!text\)|one,)", path.read_text()))
        read = sum(found[1] != "_" for found in CALL.finditer(path.read_text()))
        assert calls == read, f"{path.name}: words must be written out in gettext()"


BLOCK = "{% load i18n %}{% trans 'Two' %}{% blocktrans %}Three {{ n }}{% endblocktrans %}"
LINES = 'gettext("Four \\"4\\"");\nngettext(\n  "%(n)s dog", "%(n)s dogs", n)'


@pytest.mark.parametrize(
    ("reader", "name", "text", "words"),
    [
        (in_python, "a.py", 'x = _("One")\nngettext("%d cat", "%d cats", n)', {"One", "%d cat"}),
        (in_template, "a.html", BLOCK, {"Two", "Three %(n)s"}),
        (in_template, "a.html", '{{ name|default:_("Nobody") }}', {"Nobody"}),
        (in_module, "a.js", LINES, {'Four "4"', "%(n)s dog"}),
    ],
)
def test_words_are_found_where_they_are(
    tmp_path: Path, reader: object, name: str, text: str, words: set[str]
) -> None:
    (tmp_path / name).write_text(text)
    assert callable(reader)
    assert set(reader(tmp_path / name)) == words
