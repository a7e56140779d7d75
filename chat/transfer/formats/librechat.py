"""Reads LibreChat's export: one conversation, its messages in a list or each nested in the one it answers."""

from __future__ import annotations

from chat.core.text import is_blank
from chat.transfer.formats.base import Format
from chat.transfer.imported_conversation import (
    ImportedConversation,
    ImportedMessage,
    dict_of,
    finished,
    in_a_row,
    list_of,
    text_of,
    time_of,
)
from chat.transfer.markup import without_thoughts

_THOUGHT = ":::thinking\n"


class LibreChat(Format):
    label = source = "LibreChat"

    def fits(self, record: dict[str, object]) -> bool:
        return "conversationId" in record and isinstance(_messages(record), list)

    def read(self, record: dict[str, object]) -> ImportedConversation:
        draft = ImportedConversation(
            self.source,
            title=text_of(record.get("title")),
            created_at=time_of(record.get("createdAt")),
            updated_at=time_of(record.get("updatedAt")),
            archived=record.get("isArchived") is True,
        )
        model = text_of(dict_of(record.get("options")).get("model")) or text_of(record.get("model"))
        _add_all(draft, list_of(_messages(record)), model)
        known = {node.key for node in draft.nodes}
        for node in draft.nodes:
            node.parent = (
                node.parent if node.parent in known else None
            )  # the first messages answer an id of zeros
        if not any(node.parent for node in draft.nodes):
            in_a_row(draft.nodes)
        draft.leaf = draft.nodes[-1].key if draft.nodes else None
        return finished(draft, joined=True)


def _messages(record: dict[str, object]) -> object:
    """Returns the messages: a list, which some versions write under another name or inside an object."""
    messages = record.get("messages", record.get("messagesTree"))
    return dict_of(messages).get("messages") if isinstance(messages, dict) else messages


def _add_all(draft: ImportedConversation, messages: list[object], model: str) -> None:
    """Adds messages from the roots down, without recursion: a long conversation is nested as deeply as it is
    long.
    """
    waiting = [(each, "") for each in reversed(messages)]
    while waiting:
        each, above = waiting.pop()
        message = dict_of(each)
        key = text_of(message.get("messageId")) or f"#{len(draft.nodes)}"
        parent = text_of(message.get("parentMessageId")) or above or None
        draft.nodes.append(_node(draft, key, parent, message, model))
        waiting += [(child, key) for child in reversed(list_of(message.get("children")))]


def _node(
    draft: ImportedConversation, key: str, parent: str | None, message: dict[str, object], model: str
) -> ImportedMessage:
    node = ImportedMessage(key, parent, at=time_of(message.get("createdAt")), order=len(draft.nodes))
    by_user = message.get("isCreatedByUser", text_of(message.get("sender")).lower() == "user")
    if "isCreatedByUser" not in message and not text_of(message.get("sender")):
        draft.leave_out("odd")
        return node
    text = _words(draft, list_of(message.get("content")))
    text = text_of(message.get("text")) if is_blank(text) else text
    carried = [*list_of(message.get("files")), *list_of(message.get("attachments"))]
    draft.leave_out("attachment", len(carried))
    stands_for = ""
    if carried:
        is_picture = any(text_of(dict_of(each).get("type")).startswith("image") for each in carried)
        stands_for = "picture" if is_picture else "file"
    if by_user is True:
        node.say("user", text, stands_for)
    else:
        node.model = text_of(message.get("model")) or model or text_of(message.get("sender"))
        node.say("assistant", _answer(draft, text), stands_for)
    return node


def _words(draft: ImportedConversation, parts: list[object]) -> str:
    words = []
    for part in map(dict_of, parts):
        kind, text = part.get("type"), part.get("text")
        if kind == "text":
            words.append(text_of(text) or text_of(dict_of(text).get("value")))
        elif kind == "think":
            draft.leave_out("thought")
        elif kind == "tool_call":
            draft.leave_out("tool")
        else:
            draft.leave_out("attachment")
    return "\n\n".join(filter(None, words))


def _answer(draft: ImportedConversation, text: str) -> str:
    if text.startswith(_THOUGHT) and (end := text.find("\n:::", len(_THOUGHT))) > 0:
        draft.leave_out("thought")
        text = text[end + 4 :].lstrip()
    return without_thoughts(draft, text)
