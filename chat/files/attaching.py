"""Attaches files to a message, and finds the files of messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message, Role
from chat.core.errors import BadInput, NotFound
from chat.files.hiding import check_not_hidden
from chat.files.models import Attachment, File, Kind, State

A_MESSAGE = 10  # files


def chosen(user: User, ids: Sequence[UUID], conversation: Conversation | None) -> list[File]:
    """Returns the files that a message names: the sender's own, ready, and attached only within this
    conversation.

    Without their texts, which `prompt_text.load_texts` reads once nothing else speaks against the message.
    """
    if len(ids) > A_MESSAGE:
        raise BadInput(_("A message can have at most %(limit)d files.") % {"limit": A_MESSAGE})
    if not ids:
        return []
    elsewhere = Attachment.objects.filter(file__in=ids)
    if conversation is not None:
        elsewhere = elsewhere.exclude(message__conversation=conversation)  # a new version keeps its files
    taken = set(elsewhere.values_list("file", flat=True))
    found = File.objects.visible_to(user).defer("text").in_bulk(list(ids))
    if len(set(ids)) < len(ids) or taken or len(found) < len(ids):
        raise NotFound
    files = [found[pk] for pk in ids]
    for file in files:
        if file.state != State.READY:
            raise BadInput(_("“%(name)s” is not ready to be sent.") % {"name": file.name})
    if conversation is not None:
        check_not_hidden(files, conversation)
    return files


def has_new_image(files: Iterable[File]) -> bool:
    """Returns whether one of the files is an image that no message has yet."""
    images = [file.pk for file in files if file.kind == Kind.IMAGE]
    return bool(images) and File.objects.unsent().filter(pk__in=images).exists()


def attach(message: Message, files: Sequence[File]) -> None:
    Attachment.objects.bulk_create(
        Attachment(message=message, file=file, position=position) for position, file in enumerate(files)
    )


def _attachments(messages: Sequence[Message]) -> Any:
    asked = [message.pk for message in messages if message.role == Role.USER]
    return Attachment.objects.filter(message__in=asked) if asked else Attachment.objects.none()


def of_messages(messages: Sequence[Message], *, texts: bool = False) -> dict[UUID, list[File]]:
    """Returns files by the message that has them; without their texts unless `texts` is set."""
    found = list(_attachments(messages).values_list("message_id", "file_id"))
    if not found:  # as for most messages: saves loading the columns of files
        return {}
    read = File.objects.all() if texts else File.objects.defer("text")
    by_pk = read.in_bulk({file for _message, file in found})
    carried: dict[UUID, list[File]] = {}
    for message, file in found:
        if file in by_pk:
            carried.setdefault(message, []).append(by_pk[file])
    return carried
