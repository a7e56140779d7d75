"""Reads JSON Lines of chat messages, as OpenAI's fine-tuning takes them and many programs write them.

Either each line is a conversation, `{"messages": [{"role": …, "content": …}, …]}`, or each line is a message,
`{"role": …, "content": …}`, and the file is one conversation. Preference pairs (`preferred_output`) and
prompt-completion pairs are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.conversations.origins import A_FILE
from chat.transfer.formats.base import Format
from chat.transfer.imported_conversation import (
    ImportedConversation,
    ImportedMessage,
    Unreadable,
    dict_of,
    finished,
    in_a_row,
    list_of,
    text_of,
)
from chat.transfer.markup import without_thoughts
from chat.transfer.scan import RECORD_BYTES, VALUES, Buffer, Span, count_values, loads

_BOM = b"\xef\xbb\xbf"
_ABOUT = {"messages", "tools", "functions", "parallel_tool_calls", "metadata", "model", "store"}
_SKIPPED = {"system": "system", "developer": "system", "tool": "tool", "function": "tool"}
_TEXTS = {"text", "input_text", "output_text"}
_PICTURES = {"image", "image_url", "input_image"}


class JsonLines(Format):
    label = gettext_lazy("JSON Lines (one conversation or message per line)")
    source = A_FILE
    suffixes = (".jsonl", ".ndjson")

    def opens(self, data: Buffer, start: int, end: int) -> bool:
        """Returns whether the first two lines that are not empty are each one complete JSON object."""
        return [_is_object(data, *line) for line in _first_two(data, start, end)] == [True, True]

    def spans(self, data: Buffer, start: int, end: int) -> Iterator[Span]:
        lines = list(_lines(data, start, end))
        if _is_message(data, *lines[0]):
            whole = lines[0][0], lines[-1][1]
            yield _span(data, *whole)
        else:
            yield from (_span(data, *line) for line in lines)

    def parsed(self, data: Buffer, span: Span) -> Any:
        lines = list(_lines(data, span.start, span.end))
        if len(lines) == 1 or span.too_large:
            return super().parsed(data, span)
        messages = []
        for number, (start, end) in enumerate(lines, 1):
            try:
                messages.append(loads(bytes(data[start:end])))
            except Unreadable:
                words = _("Line %(number)d is not valid JSON.")
                raise Unreadable(words % {"number": number}) from None
        return {"messages": messages}

    def fits(self, record: dict[str, object]) -> bool:
        messages = list_of(record.get("messages"))
        first = dict_of(messages[0]) if messages else {}
        return record.keys() <= _ABOUT and isinstance(first.get("role"), str)

    def read(self, record: dict[str, object]) -> ImportedConversation:
        draft = ImportedConversation(self.source)
        model = text_of(record.get("model"))
        for number, each in enumerate(map(dict_of, list_of(record["messages"]))):
            draft.nodes.append(_node(draft, f"#{number}", each, model))
        in_a_row(draft.nodes)
        draft.leaf = draft.nodes[-1].key
        return finished(draft, joined=True)


def _node(draft: ImportedConversation, key: str, message: dict[str, object], model: str) -> ImportedMessage:
    node, role = ImportedMessage(key, None), message.get("role")
    if role not in ("user", "assistant"):
        draft.leave_out(_SKIPPED.get(text_of(role), "odd"))
        return node
    text, stands_for = _words(draft, message.get("content"))
    calls = list_of(message.get("tool_calls")) or list(filter(None, [message.get("function_call")]))
    draft.leave_out("tool", len(calls))
    node.model = model if role == "assistant" else ""
    text = text or text_of(message.get("refusal"))
    node.say(str(role), without_thoughts(draft, text) if role == "assistant" else text, stands_for)
    return node


def _words(draft: ImportedConversation, content: object) -> tuple[str, str]:
    """Returns the text of a message, and what stands for it if it has none: its parts may be pictures."""
    words, stands_for = [text_of(content)], ""
    for part in map(dict_of, list_of(content)):
        kind = text_of(part.get("type"))
        if kind in _TEXTS:
            words.append(text_of(part.get("text")))
        elif kind == "refusal":
            words.append(text_of(part.get("refusal")))
        else:
            draft.leave_out("attachment")
            stands_for = stands_for or ("picture" if kind in _PICTURES else "file")
    return "\n\n".join(filter(None, words)), stands_for


# --- Lines ------------------------------------------------------------------------------------------------


def _lines(data: Buffer, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yields where each line that is not empty begins and ends."""
    if data[start : start + 3] == _BOM:
        start += 3
    while start < end:
        line_end = data.find(b"\n", start, end)
        line_end = end if line_end < 0 else line_end
        if bytes(data[start : min(line_end, start + 64)]).strip() or bytes(data[start:line_end]).strip():
            yield start, line_end
        start = line_end + 1


def _first_two(data: Buffer, start: int, end: int) -> list[tuple[int, int]]:
    lines = _lines(data, start, end)
    return [line for _number, line in zip(range(2), lines, strict=False)]


def _is_object(data: Buffer, start: int, end: int) -> bool:
    first = bytes(data[start : min(end, start + 64)]).lstrip()[:1]
    last = bytes(data[max(start, end - 64) : end]).rstrip()[-1:]
    return (first, last) == (b"{", b"}")


def _is_message(data: Buffer, start: int, end: int) -> bool:
    if end - start > RECORD_BYTES:
        return False
    try:
        first = loads(bytes(data[start:end]))
    except Unreadable:
        return False
    return isinstance(first, dict) and "messages" not in first and isinstance(first.get("role"), str)


def _span(data: Buffer, start: int, end: int) -> Span:
    too_large = end - start > RECORD_BYTES or count_values(data, start, end) > VALUES
    return Span(start, end, too_large)
