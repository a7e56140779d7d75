"""Finds a regular expression in RE2 syntax, in linear time whatever staff or users write, so nothing
hangs.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import re2
from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.core.errors import BadInput
from chat.moderation.rules.base import RuleKind
from inference.base.findings import Finding

MEMORY_BYTES = 4 << 20  # for one compiled pattern and its automaton
LONGEST = 500  # characters


class Pattern(RuleKind):
    label = gettext_lazy("a pattern")
    fields = {
        "pattern": forms.CharField(
            label=gettext_lazy("Pattern"),
            help_text=gettext_lazy("A regular expression in RE2 syntax; case does not matter."),
            max_length=LONGEST,
            strip=False,
            widget=forms.TextInput(attrs={"class": "vTextField", "dir": "ltr"}),
        )
    }

    def check(self, options: Mapping[str, Any]) -> None:
        pattern = str(options.get("pattern", ""))
        if not pattern.strip():
            raise BadInput(_("The pattern is empty."))
        try:
            compiled = _compiled(pattern)
        except re2.error as error:
            raise BadInput(_("This is not a pattern in RE2 syntax: %s") % _words(error)) from None
        if compiled.search(b"") is not None:
            raise BadInput(_("This pattern matches the empty text, so it would refuse everything."))

    def find(self, text: str, options: Mapping[str, Any]) -> Iterator[Finding]:
        # As bytes: the binding then computes no character offsets, which cost more than the search.
        data, compiled = text.encode("utf-8", "replace"), _compiled(options["pattern"])
        at = 0
        while (found := compiled.search(data, at)) is not None:
            start, end = found.span()
            before = len(data[:start].decode("utf-8", "ignore"))
            yield Finding(before, before + len(data[start:end].decode("utf-8", "ignore")))
            at = end if end > start else end + 1  # an empty match, as of \b, must not loop for ever

    def for_replies(self, options: Mapping[str, Any]) -> str | None:
        return str(options["pattern"])

    def summary(self, options: Mapping[str, Any]) -> str:
        return str(options.get("pattern", ""))


@functools.lru_cache(maxsize=512)
def _compiled(pattern: str) -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False  # RE2 would write the pattern to stderr
    options.never_capture = True
    options.max_mem = MEMORY_BYTES
    return re2.compile(pattern.encode(), options)


def _words(error: Exception) -> str:
    detail = error.args[0] if error.args else ""
    return detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
