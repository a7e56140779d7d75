"""`python -I render_child.py LANGUAGE < texts > html`: makes HTML of what models wrote, in a bounded process.

Standard input is a JSON list of texts. For each one line of JSON comes out as soon as it is made: its HTML,
or null for a text whose HTML would be too much. After `confine` (inference/base/confine.py) the process can
open no file and no socket, and its memory and processor time are bounded. It is killed in the middle of a
text that takes too long; what came out before stands.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CPU_SECONDS = 8  # of one page; 40,000 characters of ordinary Markdown take a tenth of a second
MEMORY = 512 << 20  # address space
HTML_CHARS = 2_000_000  # of one page together: a browser shows that much without delay
NICENESS = 5  # chats come first, but a reader must not wait for a quiet moment


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

    reply_html("![a](http://a.example) `b`")  # loads what is loaded late, the words of the language too
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
