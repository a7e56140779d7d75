"""Replaces the source marks in ChatGPT's answers by the text that the export gives for them, or by
nothing.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress

from chat.transfer.imported_conversation import dict_of, list_of, text_of
from chat.transfer.markup import link, replaced

# <U+E200> kind <U+E202> more <U+E201>, the brackets of older answers, and those of the oldest.
_ONE = (
    r"\ue200[^\ue200\ue201]*+\ue201"
    r"|【\d{1,4}(?::\d{1,4})?†[^【】\n]{0,300}】|【oaicite:\d{1,4}】"
    r"|:contentReference\[oaicite:\d{1,4}\]\{index=\d{1,4}\}"
)
_MARK = re.compile(_ONE)
_MARKS = re.compile(f"(?:{_ONE})++")
_CUT_OFF = re.compile(r"\ue200[a-z_]{1,30}\ue202[^\ue200\ue201]*+\Z")
_AROUND = re.compile(r"[\ue203-\ue206]")  # around the words that a source supports


def without_marks(text: str, metadata: dict[str, object]) -> str:
    """Replaces each mark by the text in `content_references` (or `citations`, in older files)."""
    if not _MARKS.search(text):
        return _CUT_OFF.sub("", text)
    said = _cited(text, metadata) | _referred(metadata)

    def put(marks: str) -> str:
        if marks in said:
            return said[marks]
        return "".join(said[one] if one in said else _named(one) for one in _MARK.findall(marks))

    return _AROUND.sub("", _CUT_OFF.sub("", replaced(_MARKS, text, put)))


def _referred(metadata: dict[str, object]) -> dict[str, str]:
    """Returns replacements by mark. An entry may also refer to a space: only real marks are replaced."""
    said = {}
    for each in map(dict_of, list_of(metadata.get("content_references"))):
        mark = text_of(each.get("matched_text")).strip()
        if _MARKS.fullmatch(mark):
            said[mark] = _MARKS.sub("", text_of(each.get("alt"))) or _links(each)
    return said


def _links(reference: dict[str, object]) -> str:
    items = [dict_of(each) for each in list_of(reference.get("items"))] or [reference]
    links = [link(text_of(each.get("title")), text_of(each.get("url"))) for each in items if each.get("url")]
    return f"({', '.join(links)})" if links else ""


def _cited(text: str, metadata: dict[str, object]) -> dict[str, str]:
    """Reads `citations` of older exports: the position of each mark, and the page it cites."""
    said = {}
    for each in map(dict_of, list_of(metadata.get("citations"))):
        start, end, page = each.get("start_ix"), each.get("end_ix"), dict_of(each.get("metadata"))
        if isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= start + 400:
            mark = text[start:end].strip()
            if _MARKS.fullmatch(mark) and (to := link(text_of(page.get("title")), text_of(page.get("url")))):
                said[mark] = f"({to})"
    return said


def _named(mark: str) -> str:
    """Returns the name in an "entity" mark, a word of the sentence: the second item of the list in the
    mark.
    """
    kind, _sign, more = mark[1:-1].partition("\ue202")
    if kind == "entity":
        with suppress(ValueError, RecursionError):
            items = list_of(json.loads(more))
            return text_of(items[1]) if len(items) > 1 else ""
    return ""
