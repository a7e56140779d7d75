"""ChatGPT's export: conversations.json, where `mapping` is a tree of nodes, many without a message."""

from __future__ import annotations

from chat.core.text import is_blank
from chat.transfer.drafts import Draft, Node, dict_of, finished, list_of, text_of, time_of

THOUGHTS = {"thoughts", "reasoning_recap"}
SPOKEN = {"text", "multimodal_text", "code"}


class ChatGPT:
    def fits(self, record: dict[str, object]) -> bool:
        return isinstance(record.get("mapping"), dict)

    def read(self, record: dict[str, object]) -> Draft:
        draft = Draft(
            "ChatGPT",
            title=text_of(record.get("title")),
            created_at=time_of(record.get("create_time")),
            updated_at=time_of(record.get("update_time")),
            leaf=text_of(record.get("current_node")) or None,
        )
        mapping = dict_of(record["mapping"])
        parents = _parents(mapping)
        for key, node in mapping.items():
            draft.nodes.append(_node(draft, key, parents.get(key), dict_of(dict_of(node).get("message"))))
        return finished(draft, joined=True)


def _parents(mapping: dict[str, object]) -> dict[str, str]:
    """Said by the node itself; where it does not, by the one that lists it among its children."""
    found: dict[str, str] = {}
    for key, node in mapping.items():
        for child in list_of(dict_of(node).get("children")):
            if isinstance(child, str):
                found.setdefault(child, key)
    said = {key: dict_of(node).get("parent") for key, node in mapping.items()}
    return found | {key: parent for key, parent in said.items() if isinstance(parent, str)}


def _node(draft: Draft, key: str, parent: str | None, message: dict[str, object]) -> Node:
    node = Node(key, parent, at=time_of(message.get("create_time")))
    if not message:
        return node  # the root of every export, and steps that left nothing
    content = dict_of(message.get("content"))
    role, kind = dict_of(message.get("author")).get("role"), content.get("content_type", "text")
    if why := _why_not(role, kind, message):
        if why != "system" or _spoken(content):  # every export begins with an empty one
            draft.leave_out(why)
        return node
    text, attached = _words(content)
    draft.leave_out(
        "attachment", attached + len(list_of(dict_of(message.get("metadata")).get("attachments")))
    )
    if not is_blank(text):
        node.role, node.text = str(role), text
        node.model = text_of(dict_of(message.get("metadata")).get("model_slug"))
    return node


def _why_not(role: object, kind: object, message: dict[str, object]) -> str:
    if role == "system":
        return "system"
    if role == "tool" or (role == "assistant" and message.get("recipient", "all") not in ("all", None)):
        return "tool"
    if dict_of(message.get("metadata")).get("is_visually_hidden_from_conversation") is True:
        return "system"
    if role not in ("user", "assistant"):
        return "odd"
    if not isinstance(kind, str) or kind in THOUGHTS:
        return "thought" if isinstance(kind, str) else "odd"
    if kind == "user_editable_context":
        return "system"
    return "" if kind in SPOKEN else "tool"


def _spoken(content: dict[str, object]) -> bool:
    return not is_blank(_words(content)[0]) or bool(content.keys() - {"content_type", "parts"})


def _words(content: dict[str, object]) -> tuple[str, int]:
    """The text, and how many pictures and files were among it."""
    if content.get("content_type") == "code" and isinstance(content.get("text"), str):
        return f"```\n{content['text']}\n```", 0
    words, attached = [], 0
    for part in list_of(content.get("parts")):
        if isinstance(part, str):
            words.append(part)
        elif isinstance(part, dict):
            said = text_of(part.get("text"))  # what was dictated
            words.append(said)
            attached += not said
    if not words and isinstance(content.get("text"), str):
        words.append(text_of(content["text"]))
    return "\n\n".join(each for each in words if each), attached
