"""Reads Open WebUI's export: rows whose `chat` holds `history.messages` by id, or an older flat list."""

from __future__ import annotations

from chat.core.text import is_blank
from chat.transfer.formats.base import Format
from chat.transfer.imported_conversation import (
    ImportedConversation,
    ImportedMessage,
    dict_of,
    finished,
    in_a_row,
    in_order_of,
    list_of,
    text_of,
    time_of,
)
from chat.transfer.markup import without_thoughts


class OpenWebUI(Format):
    label = source = "Open WebUI"

    def fits(self, record: dict[str, object]) -> bool:
        chat = _chat(record)
        return isinstance(dict_of(chat.get("history")).get("messages"), dict) or isinstance(
            chat.get("messages"), list
        )

    def read(self, record: dict[str, object]) -> ImportedConversation:
        chat = _chat(record)
        history = dict_of(chat.get("history"))
        draft = ImportedConversation(
            self.source,
            title=text_of(record.get("title")) or text_of(chat.get("title")),
            created_at=time_of(record.get("created_at")) or time_of(chat.get("timestamp")),
            updated_at=time_of(record.get("updated_at")),
            leaf=text_of(history.get("currentId")) or None,
            archived=record.get("archived") is True,
            pinned=record.get("pinned") is True,
        )
        if not is_blank(text_of(chat.get("system"))):
            draft.leave_out("system")
        models = list_of(chat.get("models"))
        usual = text_of(models[0]) if len(models) == 1 else ""
        messages = dict_of(history.get("messages"))
        if messages:
            draft.nodes = [
                _node(draft, key, text_of(dict_of(each).get("parentId")) or None, dict_of(each), usual)
                for key, each in messages.items()
            ]
            in_order_of(draft.nodes, (dict_of(each).get("childrenIds") for each in messages.values()))
        else:
            _add_flat(draft, list_of(chat.get("messages")), usual)
        return finished(draft, joined=True)


def _chat(record: dict[str, object]) -> dict[str, object]:
    return dict_of(record["chat"]) if "chat" in record else record


def _add_flat(draft: ImportedConversation, messages: list[object], usual: str) -> None:
    draft.nodes = [
        _node(draft, str(number), None, dict_of(each), usual) for number, each in enumerate(messages)
    ]
    in_a_row(draft.nodes)
    draft.leaf = draft.nodes[-1].key if draft.nodes else None


def _node(
    draft: ImportedConversation, key: str, parent: str | None, message: dict[str, object], usual: str
) -> ImportedMessage:
    node = ImportedMessage(key, parent, at=time_of(message.get("timestamp")))
    role = message.get("role")
    carried = len(list_of(message.get("files")))
    text, pictures = _words(message.get("content"))
    draft.leave_out("attachment", carried + pictures)
    if role in ("system", "tool"):
        draft.leave_out(str(role))
    elif role == "assistant":
        node.say(
            "assistant", _answer(draft, text, list_of(message.get("output"))), "picture" if pictures else ""
        )
        node.model = text_of(message.get("modelName")) or text_of(message.get("model")) or usual
    elif role == "user":
        node.say("user", text, "picture" if pictures or _is_picture(message) else "file" if carried else "")
    else:
        draft.leave_out("odd")
    return node


def _is_picture(message: dict[str, object]) -> bool:
    return any(dict_of(each).get("type") == "image" for each in list_of(message.get("files")))


def _answer(draft: ImportedConversation, text: str, output: list[object]) -> str:
    """Returns an answer's text, which is in `content` or among the steps in `output`, without thoughts and
    tools.
    """
    if not is_blank(text):
        return without_thoughts(draft, text)
    words = []
    for each in map(dict_of, output):
        if each.get("type") == "message":
            words += [text_of(dict_of(part).get("text")) for part in list_of(each.get("content"))]
        else:
            draft.leave_out("thought" if each.get("type") == "reasoning" else "tool")
    return without_thoughts(draft, "\n\n".join(filter(None, words)))


def _words(content: object) -> tuple[str, int]:
    """Returns the text and the number of pictures in it."""
    if isinstance(content, str):
        return content, 0
    parts = list_of(content)
    words = [text_of(dict_of(part).get("text")) for part in parts]
    return "\n\n".join(filter(None, words)), sum(1 for each in words if not each)
