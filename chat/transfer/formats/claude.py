"""Reads Claude's export: conversations.json, a list of conversations with `chat_messages`."""

from __future__ import annotations

import re

from chat.core.text import is_blank
from chat.transfer.formats.base import Format
from chat.transfer.imported_conversation import (
    MESSAGE_CHARS,
    ImportedConversation,
    ImportedFile,
    ImportedMessage,
    dict_of,
    finished,
    in_a_row,
    list_of,
    storable,
    text_of,
    time_of,
)
from chat.transfer.markup import artifacts_shown, document, language_of, without_thoughts

ROLES = {"human": "user", "assistant": "assistant"}
_FILES = 10  # of one message
_ARTIFACT = re.compile(r"<antArtifact\b([^<>]*+)>|</antArtifact>")


class Claude(Format):
    label = source = "Claude"
    file_name = re.compile(r"conversations(-\d{1,6})?\.json", re.IGNORECASE)

    def fits(self, record: dict[str, object]) -> bool:
        return isinstance(record.get("chat_messages"), list)

    def fits_without_conversation(self, record: dict[str, object]) -> bool:
        return "prompt_template" in record or {"uuid", "email_address"} <= record.keys()

    def read(self, record: dict[str, object]) -> ImportedConversation:
        draft = ImportedConversation(
            self.source,
            title=text_of(record.get("name")),
            created_at=time_of(record.get("created_at")),
            updated_at=time_of(record.get("updated_at")),
            leaf=text_of(record.get("current_leaf_message_uuid")) or None,
            pinned=record.get("is_starred") is True,
        )
        messages = [dict_of(each) for each in list_of(record["chat_messages"])]
        for number, each in enumerate(messages):
            draft.nodes.append(_node(draft, each, number, text_of(record.get("model"))))
        _link(draft, messages)
        return finished(draft, joined=True)


def _link(draft: ImportedConversation, messages: list[dict[str, object]]) -> None:
    """Links messages to their parents: newer files name them; in old files the first parent is no message."""
    known = {node.key for node in draft.nodes}
    parents = [text_of(each.get("parent_message_uuid")) for each in messages]
    if not any(parents):
        in_a_row(draft.nodes)
    for order, (node, parent) in enumerate(zip(draft.nodes, parents, strict=True)):
        node.order = order
        if parent in known:
            node.parent = parent
    if draft.leaf is None and draft.nodes:
        draft.leaf = draft.nodes[-1].key


def _node(
    draft: ImportedConversation, message: dict[str, object], number: int, model: str
) -> ImportedMessage:
    node = ImportedMessage(
        text_of(message.get("uuid")) or f"#{number}", None, at=time_of(message.get("created_at"))
    )
    role = ROLES.get(text_of(message.get("sender")))
    if role is None:
        draft.leave_out("odd")
        return node
    text = _words(draft, list_of(message.get("content")))
    text = text if not is_blank(text) else text_of(message.get("text"))
    if role == "assistant":
        text = artifacts_shown(_ARTIFACT, without_thoughts(draft, text))
        node.model = text_of(message.get("model")) or model
    carried = list_of(message.get("files")) or list_of(message.get("files_v2"))
    draft.leave_out("attachment", len(carried))
    _add_files(draft, node, role, list_of(message.get("attachments")))
    node.say(role, text, _stands_for(carried) if carried else "file" if node.files else "")
    return node


def _stands_for(carried: list[object]) -> str:
    return "picture" if any(dict_of(each).get("file_kind") == "image" for each in carried) else "file"


def _words(draft: ImportedConversation, parts: list[object]) -> str:
    words = []
    for part in map(dict_of, parts):
        kind, written = part.get("type"), dict_of(part.get("input"))
        if kind == "text":
            words.append(text_of(part.get("text")))
        elif kind == "thinking":
            draft.leave_out("thought")
        elif kind == "tool_use" and part.get("name") == "artifacts" and written.get("content"):
            title, text = text_of(written.get("title")), text_of(written.get("content"))
            language = text_of(written.get("language")) or language_of(text_of(written.get("type")))
            words.append(document(title, text, language))
        elif kind in ("tool_use", "tool_result"):
            draft.leave_out("tool")
        else:
            draft.leave_out("attachment" if kind in ("image", "document") else "odd")
    return "\n\n".join(filter(None, words))


def _add_files(
    draft: ImportedConversation, node: ImportedMessage, role: str, attachments: list[object]
) -> None:
    """Adds attachments whose text is in the export."""
    for each in map(dict_of, attachments):
        text = storable(text_of(each.get("extracted_content")))
        if role == "user" and len(node.files) < _FILES and 0 < len(text) <= MESSAGE_CHARS:
            name = text_of(each.get("file_name")) or "file.txt"
            node.files.append(ImportedFile(name, text, key=f"{node.key} {len(node.files)}"))
        else:
            draft.leave_out("attachment")
