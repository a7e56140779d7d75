"""Writes the branch that the viewer has open as Markdown, for reading. It is not imported again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chat.conversations.branches import current_leaf
from chat.conversations.models import Message, MessageStatus, Role
from chat.conversations.origins import origin_of, origin_words
from chat.conversations.tree import ids_to
from chat.files import attaching
from chat.transfer import calls
from chat.transfer.export import File, batches, safe_name
from chat.transfer.formats.base import Format
from chat.transfer.imported_conversation import MESSAGES
from chat.transfer.unclosed_blocks import closed
from chat.turns.shown_thoughts import thought_texts_of

if TYPE_CHECKING:
    from chat.accounts.models import User
    from chat.conversations.models import Conversation


class Markdown(Format):
    label = "Markdown"
    reads = False
    writes = True
    export_label = gettext_lazy("Markdown, to read")
    export_icon = "text"
    export_suffix = ".md"
    writes_thoughts = True

    def write(self, conversation: Conversation, viewer: User, *, thoughts: bool = False) -> File:
        pieces = _pieces(conversation, viewer, thoughts)
        return File(f"{safe_name(conversation)}.md", "text/markdown", pieces)


def _pieces(conversation: Conversation, viewer: User, thoughts: bool) -> Iterator[str]:
    day = date_format(timezone.localtime(conversation.created_at), "DATE_FORMAT")
    yield f"# {conversation.title or _('New chat')}\n\n*{conversation.model.shown_name} · {day}*\n"
    yield "\n*" + _("The answers in this conversation come from an AI, not from a person.") + "*\n"
    leaf = current_leaf(viewer, conversation)
    for messages in batches(ids_to(leaf, MESSAGES) if leaf else []):
        carried, called = attaching.of_messages(messages), calls.calls_of(messages)
        thought = thought_texts_of(messages) if thoughts else {}
        for message in messages:
            origin = origin_words(origin_of(message))
            name = _("You") if message.role == Role.USER else origin or conversation.model.shown_name
            yield f"\n## {name}\n\n"
            if message.pk in carried and message.hidden_at is None:
                names = ", ".join(f"`{file.name}`" for file in carried[message.pk])
                yield _("Files: %(names)s") % {"names": names} + "\n\n"
            if used := calls.used_tools(called.get(message.pk, [])):
                yield _("Tools used: %(names)s") % {"names": ", ".join(f"`{name}`" for name in used)} + "\n\n"
            if message.pk in thought:
                yield _quoted(thought[message.pk]) + "\n\n"
            yield closed(_readable(message)) + "\n"


def _quoted(thoughts: str) -> str:
    """Returns thoughts as a block of their own, which ends what they leave open."""
    lines = [f"**{_('Thoughts')}**", "", *thoughts.strip().splitlines()]
    return "\n".join(f"> {line}".rstrip() for line in lines)


def _readable(message: Message) -> str:
    if message.hidden_at is not None:
        return "*" + _("A moderator removed this message.") + "*"
    if message.status == MessageStatus.LIVE:
        return "*" + _("This reply is still being written.") + "*"
    return message.text
