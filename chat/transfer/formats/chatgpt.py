"""Reads ChatGPT's export: conversations.json, where `mapping` is a tree of nodes, many without a message."""

from __future__ import annotations

import json
import re

from chat.core.text import is_blank
from chat.transfer.formats.base import Format
from chat.transfer.formats.chatgpt_marks import without_marks
from chat.transfer.imported_conversation import (
    ImportedConversation,
    ImportedMessage,
    dict_of,
    finished,
    in_order_of,
    list_of,
    text_of,
    time_of,
)
from chat.transfer.markup import document, fenced

THOUGHTS = {"thoughts", "reasoning_recap"}
SPOKEN = {"text", "multimodal_text", "code"}
NEW_DOCUMENT, CHANGED_DOCUMENT = "canmore.create_textdoc", "canmore.update_textdoc"


class ChatGPT(Format):
    label = source = "ChatGPT"
    file_name = re.compile(r"conversations(-\d{1,6})?\.json", re.IGNORECASE)

    def fits(self, record: dict[str, object]) -> bool:
        return isinstance(record.get("mapping"), dict)

    def fits_without_conversation(self, record: dict[str, object]) -> bool:
        return "conversation_id" in record or "chatgpt_plus_user" in record

    def read(self, record: dict[str, object]) -> ImportedConversation:
        draft = ImportedConversation(
            self.source,
            title=text_of(record.get("title")),
            created_at=time_of(record.get("create_time")),
            updated_at=time_of(record.get("update_time")),
            leaf=text_of(record.get("current_node")) or None,
            archived=record.get("is_archived") is True,
            pinned=record.get("is_starred") is True,
        )
        mapping = dict_of(record["mapping"])
        parents = parents_of(mapping)
        for key, node in mapping.items():
            draft.nodes.append(_node(draft, key, parents.get(key), dict_of(dict_of(node).get("message"))))
        in_order_of(draft.nodes, (dict_of(node).get("children") for node in mapping.values()))
        finished(draft, joined=True)
        usual = text_of(record.get("default_model_slug"))
        for node in draft.nodes:
            if node.role == "assistant":
                node.model = node.model or usual
        return draft


def parents_of(mapping: dict[str, object]) -> dict[str, str]:
    """Returns each node's parent: as the node itself says, else the node that lists it among its children."""
    found: dict[str, str] = {}
    for key, node in mapping.items():
        for child in list_of(dict_of(node).get("children")):
            if isinstance(child, str):
                found.setdefault(child, key)
    said = {key: dict_of(node).get("parent") for key, node in mapping.items()}
    return found | {key: parent for key, parent in said.items() if isinstance(parent, str)}


def _node(
    draft: ImportedConversation, key: str, parent: str | None, message: dict[str, object]
) -> ImportedMessage:
    node = ImportedMessage(key, parent, at=time_of(message.get("create_time")))
    if not message:
        return node  # the root of every export, and steps without content
    content, metadata = dict_of(message.get("content")), dict_of(message.get("metadata"))
    role, kind = dict_of(message.get("author")).get("role"), content.get("content_type", "text")
    written = _document(message, content) if role == "assistant" else ""
    if why := "" if written else _why_not(role, kind, message):
        if why != "system" or _spoken(content):  # every export begins with an empty one
            draft.leave_out(why)
        if why == "tool" and (drawn := _words(content)[1]):
            node.say("assistant", "", "picture")  # the answer is what the tool drew
            draft.leave_out("attachment", drawn)
        return node
    text, pictures = _words(content)
    carried = list_of(metadata.get("attachments"))
    draft.leave_out("attachment", max(pictures, len(carried)))  # both may contain a picture
    if role == "assistant":
        text = written or without_marks(text, metadata)
        node.model = text_of(metadata.get("model_slug"))
    node.say(str(role), text, "picture" if pictures else "file" if carried else "")
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
    if kind not in SPOKEN:
        return "tool"
    weight = message.get("weight")
    return "discarded" if isinstance(weight, int | float) and weight == 0 else ""


def _document(message: dict[str, object], content: dict[str, object]) -> str:
    """Returns the document that an answer wrote beside the conversation ("canvas"), new or replaced
    completely.
    """
    recipient = message.get("recipient")
    if recipient not in (NEW_DOCUMENT, CHANGED_DOCUMENT):
        return ""
    raw = text_of(content.get("text")) or "".join(filter(None, map(text_of, list_of(content.get("parts")))))
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return fenced(raw, "json") if recipient == NEW_DOCUMENT and not is_blank(raw) else ""
    data = dict_of(data)
    if recipient == CHANGED_DOCUMENT:
        whole = [dict_of(each) for each in list_of(data.get("updates"))]
        return next((text_of(each.get("replacement")) for each in whole if each.get("pattern") == ".*"), "")
    kind, text = text_of(data.get("type")), text_of(data.get("content"))
    language = (kind.partition("/")[2] or "text") if kind.startswith("code") else ""
    return document(text_of(data.get("name")), text, language) if text else ""


def _spoken(content: dict[str, object]) -> bool:
    return not is_blank(_words(content)[0]) or bool(content.keys() - {"content_type", "parts"})


def _words(content: dict[str, object]) -> tuple[str, int]:
    """Returns the text and the number of pictures and files in it."""
    if content.get("content_type") == "code" and isinstance(content.get("text"), str):
        return fenced(text_of(content["text"]), _language(content)), 0
    words, attached = [], 0
    for part in list_of(content.get("parts")):
        if isinstance(part, str):
            words.append(part)
        elif isinstance(part, dict):
            said = text_of(part.get("text"))  # dictated text
            words.append(said)
            attached += not said
    if not words and isinstance(content.get("text"), str):
        words.append(text_of(content["text"]))
    return "\n\n".join(each for each in words if each), attached


def _language(content: dict[str, object]) -> str:
    said = text_of(content.get("language"))
    return "" if said == "unknown" else said
