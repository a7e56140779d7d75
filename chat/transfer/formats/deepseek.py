"""Reads DeepSeek's export: conversations.json, where `mapping` is a tree and a message has `fragments`."""

from __future__ import annotations

import re

from chat.transfer.formats.base import Format
from chat.transfer.formats.chatgpt import parents_of
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
from chat.transfer.markup import link, replaced, without_thoughts

_SOURCE = re.compile(r"\[citation:(\d{1,4})\]")


class DeepSeek(Format):
    label = source = "DeepSeek"
    file_name = re.compile(r"conversations(-\d{1,6})?\.json", re.IGNORECASE)

    def fits(self, record: dict[str, object]) -> bool:
        mapping = record.get("mapping")
        return isinstance(mapping, dict) and ("inserted_at" in record or _has_fragments(mapping))

    def read(self, record: dict[str, object]) -> ImportedConversation:
        draft = ImportedConversation(
            self.source,
            title=text_of(record.get("title")),
            created_at=time_of(record.get("inserted_at")),
            updated_at=time_of(record.get("updated_at")),
            leaf=text_of(record.get("current_message_id")) or None,
        )
        mapping = dict_of(record["mapping"])
        parents = parents_of(mapping)
        for key, node in mapping.items():
            draft.nodes.append(_node(draft, key, parents.get(key), dict_of(dict_of(node).get("message"))))
        in_order_of(draft.nodes, (dict_of(node).get("children") for node in mapping.values()))
        return finished(draft, joined=True)


def _has_fragments(mapping: dict[str, object]) -> bool:
    return any("fragments" in dict_of(dict_of(node).get("message")) for node in mapping.values())


def _node(
    draft: ImportedConversation, key: str, parent: str | None, message: dict[str, object]
) -> ImportedMessage:
    node = ImportedMessage(key, parent, at=time_of(message.get("inserted_at")))
    if not message:
        return node  # the root
    said: dict[str, list[str]] = {"REQUEST": [], "RESPONSE": []}
    sources: dict[str, str] = {}
    for part in _fragments(message):
        kind = text_of(part.get("type")).upper()
        if kind in said:
            said[kind].append(text_of(part.get("content")))
        else:
            draft.leave_out("thought" if kind == "THINK" else "tool")
            sources |= _sources(part)
    carried = len(list_of(message.get("files")))
    draft.leave_out("attachment", carried)
    answer = without_thoughts(draft, "\n\n".join(filter(None, said["RESPONSE"])))
    if answer:
        answer = replaced(_SOURCE, answer, lambda mark: sources.get(mark[10:-1], ""))
        node.model = text_of(message.get("model"))
        node.say("assistant", answer)
    else:
        node.say("user", "\n\n".join(filter(None, said["REQUEST"])), "file" if carried else "")
    return node


def _fragments(message: dict[str, object]) -> list[dict[str, object]]:
    """Returns the fragments of a message; older files have one text and its author instead."""
    if isinstance(message.get("fragments"), list):
        return [dict_of(each) for each in list_of(message["fragments"])]
    kind = "REQUEST" if text_of(message.get("role")).lower() == "user" else "RESPONSE"
    older = [{"type": kind, "content": message.get("content")}]
    if message.get("thinking_content") or message.get("reasoning_content"):
        older.append({"type": "THINK"})
    return [dict(each) for each in older]


def _sources(part: dict[str, object]) -> dict[str, str]:
    found = {}
    for number, each in enumerate(map(dict_of, list_of(part.get("results"))), 1):
        if to := link(text_of(each.get("title")), text_of(each.get("url"))):
            found[str(each.get("cite_index") or number)] = f"({to})"
    return found
