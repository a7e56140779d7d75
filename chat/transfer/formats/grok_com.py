"""Reads grok.com's export: prod-grok-backend.json, whose `conversations` have `responses` of both sides."""

from __future__ import annotations

import re
from datetime import datetime

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
from chat.transfer.markup import artifacts_shown, replaced, without_thoughts

ROLES = {"human": "user", "user": "user", "assistant": "assistant"}
_SOURCE = re.compile(r"<grok:render\b[^<>]*+>(?:(?!</?grok:render\b).)*+</grok:render>", re.DOTALL)
_ARTIFACT = re.compile(r"<xaiArtifact\b([^<>]*+)>|</xaiArtifact>")


class GrokCom(Format):
    label = source = "grok.com"
    file_name = re.compile(r"prod-grok-backend\.json", re.IGNORECASE)

    def fits(self, record: dict[str, object]) -> bool:
        return isinstance(record.get("conversation"), dict) and isinstance(record.get("responses"), list)

    def read(self, record: dict[str, object]) -> ImportedConversation:
        about = dict_of(record["conversation"])
        draft = ImportedConversation(
            self.source,
            title=text_of(about.get("title")),
            created_at=_when(about.get("create_time")),
            updated_at=_when(about.get("modify_time")),
            leaf=text_of(about.get("leaf_response_id")) or None,
            pinned=about.get("starred") is True,
        )
        responses = [dict_of(dict_of(each).get("response")) for each in list_of(record["responses"])]
        draft.nodes = [_node(draft, each, number) for number, each in enumerate(responses)]
        if not any(node.parent for node in draft.nodes):
            in_a_row(draft.nodes)
        if draft.leaf is None and draft.nodes:
            draft.leaf = draft.nodes[-1].key
        return finished(draft, joined=True)


def _node(draft: ImportedConversation, message: dict[str, object], number: int) -> ImportedMessage:
    key = text_of(message.get("_id")) or f"#{number}"
    parent = text_of(message.get("parent_response_id")) or None
    node = ImportedMessage(key, parent, at=_when(message.get("create_time")), order=number)
    role = ROLES.get(text_of(message.get("sender")).lower())
    if role is None:
        draft.leave_out("odd")
        return node
    text = text_of(message.get("message")) or text_of(message.get("query"))
    if role == "assistant":
        text = replaced(_SOURCE, without_thoughts(draft, text), lambda _mark: "")
        text = artifacts_shown(_ARTIFACT, text)
        node.model = text_of(message.get("model"))
    draft.leave_out("thought", int(bool(text_of(message.get("thinking_trace")))))
    pictures = len(list_of(message.get("image_attachments"))) + len(
        list_of(message.get("generated_image_urls"))
    )
    carried = len(list_of(message.get("file_attachments")))
    draft.leave_out("attachment", pictures + carried)
    node.say(role, text, "picture" if pictures else "file" if carried else "")
    return node


def _when(value: object) -> datetime | None:
    """Parses MongoDB's {"$date": {"$numberLong": "1767225600000"}} or {"$date": ISO 8601}."""
    value = dict_of(value).get("$date", value)
    number = text_of(dict_of(value).get("$numberLong"))
    if number.isascii() and number.isdigit() and len(number) < 20:
        value = int(number)
    return time_of(value)
