"""Renders a person's text to HTML: fences and `code` are code, nothing else is markup.

static/js/markdown/user_text.js follows the same rules in the chat. The output is not yet sanitised.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count

from django.utils.html import escape

FENCE = re.compile(r"( {0,3})(`{3,}(?=[^`]*$)|~{3,})(.*)$")
RUN = re.compile("`+")
LANGUAGE = re.compile(r"[\w+#-]{1,20}", re.ASCII)


def typed_html(text: str) -> str:
    return "".join(_parts(re.sub(r"\r\n?", "\n", text).split("\n")))


def _parts(lines: list[str]) -> Iterator[str]:
    words: list[str] = []
    at = 0
    while at < len(lines):
        fence = FENCE.match(lines[at])
        if not fence:
            words.append(lines[at])
            at += 1
            continue
        yield _words(words)
        words = []
        end = _end(lines, at + 1, fence[2])
        yield _code(lines[at + 1 : end], fence)
        at = end + 1
    yield _words(words)


def _end(lines: list[str], start: int, mark: str) -> int:
    """Returns the line that ends a fence; without one it goes to the end of the text."""
    ends = re.compile(rf" {{0,3}}{mark[0]}{{{len(mark)},}}[ \t]*$")
    return next((at for at in range(start, len(lines)) if ends.match(lines[at])), len(lines))


def _code(lines: list[str], fence: re.Match[str]) -> str:
    name = LANGUAGE.match(fence[3].strip())
    kind = f' class="language-{name[0].lower()}"' if name else ""
    code = "\n".join(re.sub(f"^ {{0,{len(fence[1])}}}", "", line) for line in lines)
    return f'<pre><code{kind} dir="ltr">{escape(code)}</code></pre>'


def _words(lines: list[str]) -> str:
    """Paragraphs as typed; no line end in the HTML, so that pre-wrap shows no line twice."""
    paragraphs = re.split("\n{2,}", "\n".join(lines).strip("\n"))
    made = ("<br>".join("".join(_spans(line)) for line in each.split("\n")) for each in paragraphs)
    return "".join(f'<p dir="auto">{each}</p>' for each in made if each.strip())


def _spans(line: str) -> Iterator[str]:
    """Yields words, and code between as many backticks as began it."""
    runs = list(RUN.finditer(line))
    last = {len(run[0]): at for at, run in enumerate(runs)}  # of each length
    done, at = 0, 0
    while at < len(runs):
        size = len(runs[at][0])
        if last[size] > at:
            to = next(each for each in count(at + 1) if len(runs[each][0]) == size)
            code = line[runs[at].end() : runs[to].start()]
            if code.strip(" ") and code[0] == code[-1] == " ":
                code = code[1:-1]
            yield escape(line[done : runs[at].start()])
            yield f'<code dir="ltr">{escape(code)}</code>'
            done, at = runs[to].end(), to
        at += 1
    yield escape(line[done:])
