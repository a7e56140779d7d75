"""`python -I render_child.py LANGUAGE < texts > html` renders texts of models in a confined process.

Standard input is a JSON list of texts. Each text produces one line of JSON as soon as it is rendered: its
HTML, or null if that would be too long. After `confine` (inference/base/confine.py) the process can open no
file and no socket, and its memory and CPU time are limited. It is killed if a text takes too long; earlier
lines stay valid.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CPU_SECONDS = 8  # of one page; 40,000 characters of ordinary Markdown take a tenth of a second
MEMORY = 512 << 20  # address space
HTML_CHARS = 2_000_000  # of a complete page: a browser shows that much without delay
NICENESS = 5  # chats have priority, but a reader must not wait for an idle processor


def main() -> None:
    sys.path.insert(0, str(ROOT))
    from django.conf import settings

    settings.configure(USE_I18N=True, INSTALLED_APPS=[], LOCALE_PATHS=[ROOT / "locale"])
    import django
    from django.utils import translation

    django.setup()
    translation.activate(sys.argv[1])
    from chat.sharing.render import TooMuch, reply_html
    from inference.base.confine import Limits, confine

    reply_html(
        "![a](http://a.example) `b`"
    )  # loads what would be imported later, and the catalogue of the language
    os.nice(NICENESS)
    texts = json.load(sys.stdin)
    confine(Limits(memory=MEMORY, cpu_seconds=CPU_SECONDS))
    left = HTML_CHARS
    for place, text in enumerate(texts):
        try:
            html: str | None = reply_html(text, left, place=place)
        except (TooMuch, MemoryError, RecursionError):
            html = None
        left -= len(html or "")
        sys.stdout.write(json.dumps(html) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
