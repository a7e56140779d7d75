"""Lists what an installation still lacks, from those checks of `manage.py doctor` that ask no server.

The page shows the list at each visit: a question to a model costs money, and a mail server may be slow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from grokweb.doctor import table
from grokweb.doctor.results import OK

# Checks that an administrator can act on here; all others are the doctor's alone.
TITLES: dict[str, Promise] = {
    "default model": gettext_lazy("Model of new chats"),
    "models": gettext_lazy("Models"),
    "e-mail": gettext_lazy("E-mail"),
    "backup": gettext_lazy("Backups"),
    "addresses": gettext_lazy("Addresses"),
    "disk": gettext_lazy("Free space"),
}


@dataclass(frozen=True, slots=True)
class Missing:
    check: str
    title: Promise
    words: str


def missing() -> Iterator[Missing]:
    for name, found in table.run(list(TITLES), connects=False):
        if found.level != OK:
            yield Missing(name, TITLES[name], found.words)
