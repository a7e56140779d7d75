"""Takes out of a text what was meant for a terminal: colours, moves of the cursor, letters struck over."""

from __future__ import annotations

import re

_SEQUENCES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and moves
    r"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\|(?=\n))"  # titles and links, up to their end
    r"|\x1b[ -/]+[0-~]"  # character sets
    r"|\x1b[0-Z\\`-~]"
)
_STRUCK_OVER = re.compile(r"[^\n\x08]\x08")  # bold and underlined, as `man` prints them
_CONTROLS = [code for code in range(1, 0x20) if chr(code) not in "\t\n\r\f\v"]
_PICTURES = {code: 0x2400 + code for code in _CONTROLS} | {0x7F: 0x2421}


def without_terminal(text: str) -> str:
    if "\x1b" in text:
        text = _SEQUENCES.sub("", text)
    if "\x08" in text:
        text = _STRUCK_OVER.sub("", text)
    return text


def with_pictures(text: str) -> str:
    """Shows the controls that are left as U+2400 and what follows it, so that nothing in a text is unseen."""
    return text.translate(_PICTURES)
