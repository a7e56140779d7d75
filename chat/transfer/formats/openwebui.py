"""Open WebUI's export: a list of rows whose `chat` holds `history.messages` by id, or an older flat list."""

from __future__ import annotations

from chat.core.text import is_blank
from chat.transfer.drafts import Draft, Node, dict_of, finished, list_of, text_of, time_of


class OpenWebUI:
    def fits(self, record: dict[str, object]) -> bool:
        chat = _chat(record)
        return isinstance(dict_of(chat.get("history")).get("messages"), dict) or isinstance(
            chat.get("messages"), list
        )

    def read(self, record: dict[str, object]) -> Draft:
        chat = _chat(record)
        history = dict_of(chat.get("history"))
        draft = Draft(
            "Open WebUI",
            title=text_of(record.get("title")) or text_of(chat.get("title")),
            created_at=time_of(record.get("created_at")) or time_of(chat.get("timestamp")),
            updated_at=time_of(record.get("updated_at")),
            leaf=text_of(history.get("currentId")) or None,
        )
        if not is_blank(text_of(chat.get("system"))):
            draft.leave_out("system")
        messages = dict_of(history.get("messages"))
        if messages:
            draft.nodes = [
                _node(draft, key, text_of(dict_of(each).get("parentId")) or None, dict_of(each))
                for key, each in messages.items()
            ]
        else:
            _add_flat(draft, list_of(chat.get("messages")))
        return finished(draft, joined=True)


def _chat(record: dict[str, object]) -> dict[str, object]:
    return dict_of(record["chat"]) if "chat" in record else record


def _add_flat(draft: Draft, messages: list[object]) -> None:
    above = None
    for number, each in enumerate(messages):
        draft.nodes.append(_node(draft, str(number), above, dict_of(each)))
        above = str(number)
    draft.leaf = above


def _node(draft: Draft, key: str, parent: str | None, message: dict[str, object]) -> Node:
    node = Node(key, parent, at=time_of(message.get("timestamp")))
    draft.leave_out("attachment", len(list_of(message.get("files"))))
    text, attached = _words(message.get("content"))
    draft.leave_out("attachment", attached)
    role = message.get("role")
    if role in ("system", "tool"):
        draft.leave_out(str(role))
    elif role not in ("user", "assistant"):
        draft.leave_out("odd")
    elif not is_blank(text):
        node.role, node.text = str(role), text
        node.model = text_of(message.get("modelName")) or text_of(message.get("model"))
    return node


def _words(content: object) -> tuple[str, int]:
    if isinstance(content, str):
        return content, 0
    parts = list_of(content)
    words = [text_of(dict_of(part).get("text")) for part in parts]
    return "\n\n".join(filter(None, words)), sum(1 for each in words if not each)
