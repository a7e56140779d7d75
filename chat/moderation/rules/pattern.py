"""A regular expression in RE2 syntax: linear time whatever staff or users write, so nothing hangs."""

from __future__ import annotations

import functools
from typing import Any

import re2
from django.utils.translation import gettext as _

from chat.core.errors import BadInput

MEMORY_BYTES = 4 << 20  # for one compiled pattern and its automaton


class Pattern:
    def check(self, pattern: str) -> None:
        if not pattern.strip():
            raise BadInput(_("The pattern is empty."))
        try:
            compiled = _compiled(pattern)
        except re2.error as error:
            raise BadInput(_("This is not a pattern in RE2 syntax: %s") % _words(error)) from None
        if compiled.search(b"") is not None:
            raise BadInput(_("This pattern matches the empty text, so it would refuse everything."))

    def matches(self, pattern: str, text: str) -> bool:
        # As bytes: the binding then computes no character offsets, which cost more than the search.
        return _compiled(pattern).search(text.encode("utf-8", "replace")) is not None

    def for_replies(self, pattern: str) -> str | None:
        return pattern


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
