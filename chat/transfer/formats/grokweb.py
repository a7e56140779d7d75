"""Reads and writes our own format (docs/transfer.md): one JSON object per conversation, with its complete
tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.accounts.models import User
from chat.conversations.branches import current_leaf
from chat.conversations.models import Conversation, Message, MessageStatus, Role
from chat.conversations.origins import A_FILE, EDITED
from chat.conversations.serializers import message_json
from chat.core.text import is_blank
from chat.feedback import services as feedback
from chat.files import attaching
from chat.files.attaching import A_MESSAGE as FILES_A_MESSAGE
from chat.files.models import Kind
from chat.transfer import account, calls, formats, personas
from chat.transfer.attached_files import ExportedFiles
from chat.transfer.export import File, batches, dumped, safe_name
from chat.transfer.formats.base import Format
from chat.transfer.imported_conversation import (
    MESSAGE_CHARS,
    ImportedConversation,
    ImportedFile,
    ImportedMessage,
    dict_of,
    finished,
    list_of,
    storable,
    text_of,
    time_of,
)
from chat.transfer.versions import check_version, is_named
from chat.turns.shown_thoughts import thoughts_of
from chat.turns.summaries import of_conversation as summaries_of

NAME, VERSION = "grokweb.conversation", 1
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ENDED = {MessageStatus.COMPLETE, MessageStatus.STOPPED, MessageStatus.FAILED, MessageStatus.REFUSED}


def written(conversation: Conversation, leaf: Message | None, more: dict[str, Any]) -> dict[str, Any]:
    """Returns all but the messages, as `GrokWeb.read` reads it: a field added here must be read there."""
    return {
        "format": NAME,
        "version": VERSION,
        "id": str(conversation.pk),
        "title": conversation.title,
        "ai_generated_roles": [Role.ASSISTANT.value],
        "notice": _("The answers (role “assistant”) come from an AI, not from a person."),
        "model": {"slug": conversation.model_id, "name": conversation.model.shown_name},
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
        "leaf": str(leaf.pk) if leaf else None,
        "archived": conversation.archived,
        **more,
    }


def written_message(
    message: Message,
    files: list[dict[str, Any]],
    feedback: dict[str, int | str] | None,
    called: list[calls.Call],
    thoughts: list[dict[str, Any]],
) -> dict[str, Any]:
    message.siblings = []  # parents define the tree; loading siblings would cost a query each
    fields = message_json(message)
    steps = list(message.steps.all())
    names = ("id", "parent", "role", "text", "status", "created_at", "hidden", "origin")
    copied = {name: fields[name] for name in names if name in fields}
    fields = {**copied, "model": steps[-1].model if steps else None}
    if not message.hidden_at:
        fields |= {"pinned": True} if message.pinned else {}
        fields |= {"files": files} if files else {}
        fields |= {"feedback": feedback} if feedback else {}
        fields |= {"calls": calls.written(called)} if called else {}
        fields |= {"thoughts": [_written_thought(each) for each in thoughts]} if thoughts else {}
    return fields


def _written_thought(thought: dict[str, Any]) -> dict[str, Any]:
    return {name: thought[name] for name in ("text", "offset", "duration_ms") if name in thought}


class GrokWeb(Format):
    label = source = "GrokWeb"
    writes = True
    export_label = gettext_lazy("JSON, complete")
    export_icon = "braces"
    export_suffix = ".json"
    writes_thoughts = True

    def write(self, conversation: Conversation, viewer: User, *, thoughts: bool = False) -> File:
        pieces = _pieces(conversation, viewer, thoughts)
        return File(f"{safe_name(conversation)}.json", "application/json", pieces)

    def fits(self, record: dict[str, object]) -> bool:
        return is_named(record, NAME)

    def read(self, record: dict[str, object]) -> ImportedConversation:
        check_version(record, VERSION)
        draft = ImportedConversation(
            self.source,
            title=text_of(record.get("title")),
            model=text_of(dict_of(record.get("model")).get("slug")),
            created_at=time_of(record.get("created_at")),
            updated_at=time_of(record.get("updated_at")),
            leaf=text_of(record.get("leaf")) or None,
            archived=record.get("archived") is True,
            pinned=record.get("pinned") is True,
            folder=record.get("folder"),
            persona=record.get("persona"),
            settings=record.get("settings"),
        )
        texts: dict[str, str] = {}
        # Other texts would be written by the author of the file.
        sources = formats.sources() | {A_FILE, EDITED}
        for each in list_of(record.get("messages")):
            _add(draft, dict_of(each), texts, sources)
        return finished(draft)


# --- Out --------------------------------------------------------------------------------------------------


def _pieces(conversation: Conversation, viewer: User, thoughts: bool) -> Iterator[str]:
    summaries = summaries_of(conversation)  # only written: an import has the messages themselves
    more = {**account.place_written(conversation), **personas.settings_written(conversation)}
    more |= {"summaries": summaries} if summaries else {}
    head = written(conversation, current_leaf(viewer, conversation), more)
    yield dumped(head).removesuffix("\n}") + ',\n "messages": ['
    keys = conversation.messages.order_by("created_at", "pk").values_list("pk", flat=True)
    between, exported = "", ExportedFiles()
    for messages in batches(list(keys)):
        carried = attaching.of_messages(messages)
        feedback_given = feedback.feedback_by_message(user=viewer, messages=messages)
        called = calls.calls_of(messages)
        thought = thoughts_of(messages) if thoughts else {}
        for message in messages:
            named = exported.files(carried.get(message.pk, []))
            given, used = feedback_given.get(message.pk), called.get(message.pk, [])
            yield (
                between
                + "\n"
                + dumped(written_message(message, named, given, used, thought.get(message.pk, [])))
            )
            between = ","
    yield "\n ]\n}"


# --- In ---------------------------------------------------------------------------------------------------


def _add(
    draft: ImportedConversation, data: dict[str, object], texts: dict[str, str], sources: set[str]
) -> None:
    key, role = data.get("id"), data.get("role")
    if not isinstance(key, str) or not key:
        draft.leave_out("odd")
        return
    node = ImportedMessage(key, text_of(data.get("parent")) or None, at=time_of(data.get("created_at")))
    draft.nodes.append(node)
    if data.get("hidden"):
        draft.leave_out("hidden")
    elif role == Role.SYSTEM:
        draft.leave_out("system")
    elif role not in (Role.USER, Role.ASSISTANT) or not isinstance(data.get("text"), str):
        draft.leave_out("odd")
    else:
        text = text_of(data["text"])
        node.role, node.text = str(role), "" if is_blank(text) else text
        node.status = _status(data.get("status"))
        origin = dict_of(data.get("origin"))
        node.source = source if (source := text_of(origin.get("source"))) in sources else ""
        node.model = text_of(origin.get("model")) or text_of(data.get("model"))
        node.feedback = data.get("feedback")
        node.pinned = data.get("pinned") is True
        if role == Role.ASSISTANT:
            node.calls, unread = calls.read(data.get("calls"))
            draft.leave_out("tool", unread)
        _add_files(draft, node, list_of(data.get("files")), texts)


def _add_files(
    draft: ImportedConversation, node: ImportedMessage, files: list[object], texts: dict[str, str]
) -> None:
    """Adds the files of a message. A file of several messages has its text only in the first of them."""
    for place, each in enumerate(map(dict_of, files)):
        name, key = text_of(each.get("name")), text_of(each.get("id"))
        text = text_of(each.get("text")) or texts.get(key, "")
        if key:
            texts.setdefault(key, text)
        is_image = each.get("kind") == Kind.IMAGE
        fits = len(node.files) < FILES_A_MESSAGE and (is_image or 0 < len(text) <= MESSAGE_CHARS)
        if node.role == Role.USER and name and fits:
            sha256 = text_of(each.get("sha256"))
            sha256 = sha256 if _SHA256.fullmatch(sha256) else ""
            key = key or f"{node.key} {place}"
            text = "" if is_image else storable(text)
            node.files.append(ImportedFile(name, text, key, sha256, each.get("report"), is_image))
        else:
            draft.leave_out("attachment")


def _status(status: object) -> str:
    """Returns the status; a reply that was still being written becomes stopped."""
    if status == MessageStatus.LIVE:
        return MessageStatus.STOPPED.value
    return (
        MessageStatus(status).value
        if isinstance(status, str) and status in _ENDED
        else MessageStatus.COMPLETE.value
    )
