"""Hides the images of a message that staff hid, wherever its conversation has them.

The versions of an edited question carry the same file, and its owner may have uploaded the image again. A row
keeps the message with which it was hidden: so the image stays hidden when that message is deleted, and is
shown again when the decision is taken back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from chat.conversations.models import Conversation, Message
from chat.core.errors import BadInput
from chat.files.models import Attachment, File
from chat.files.same_images import digests_of, with_digests
from chat.files.signals import images_changed


@transaction.atomic
def hide_images(message_id: UUID) -> int:
    """Hides the images of a message that was just hidden, and those equal to them in its conversation;
    returns how many files.
    """
    digests = digests_of(File.objects.defer("text").filter(attachments__message=message_id))
    conversations = Message.objects.filter(pk=message_id).values_list("conversation", flat=True)
    found = _locked(_carried_in(set(conversations)).filter(with_digests(digests))) if digests else []
    changed = [file.pk for file in found if not file.is_hidden]
    File.objects.filter(pk__in=changed).update(hidden_with=message_id)
    _announce(changed, message_id)
    return len(changed)


@transaction.atomic
def show_images(message_id: UUID) -> int:
    """Shows the images again that were hidden with a message, also if that is deleted since; returns how
    many files. An image that another hidden message of the conversation has stays hidden with that one.
    """
    shown = []
    for file in _locked(File.objects.filter(hidden_with=message_id)):
        file.hidden_with = _other_hidden_message(file, message_id)
        file.save(update_fields=["hidden_with"])
        if not file.is_hidden:
            shown.append(file.pk)
    _announce(shown, message_id)
    return len(shown)


def check_not_hidden(files: Sequence[File], conversation: Conversation) -> None:
    """Raises BadInput for an image, uploaded again, that staff hid in this conversation. One that an edited
    message had stays with it, hidden.
    """
    new = [file for file in files if not file.is_hidden]
    digests = digests_of(new)
    if not digests:
        return
    hidden = _carried_in({conversation.pk}).exclude(hidden_with=None)
    known = digests_of(hidden.filter(with_digests(digests)).defer("text"))
    for file in new:
        if digests_of([file]) & known:
            words = _(
                "A moderator removed the image “%(name)s” from this conversation, so it cannot be sent here."
            )
            raise BadInput(words % {"name": file.name})


def _carried_in(conversations: Collection[UUID]) -> QuerySet[File]:
    attached = Attachment.objects.filter(message__conversation__in=conversations)
    return File.objects.filter(pk__in=attached.values("file"))


def _locked(files: QuerySet[File]) -> list[File]:
    """Locks rows in one order: a colleague may be deciding on another message with the same image."""
    return list(files.select_for_update().defer("text").order_by("pk"))


def _other_hidden_message(file: File, message_id: UUID) -> UUID | None:
    conversations = set(Message.objects.filter(attachments__file=file).values_list("conversation", flat=True))
    same = _carried_in(conversations).filter(with_digests(digests_of([file])))
    hidden = Message.objects.filter(
        attachments__file__in=same, conversation__in=conversations, hidden_at__isnull=False
    )
    return hidden.exclude(pk=message_id).order_by("hidden_at", "pk").values_list("pk", flat=True).first()


def _announce(changed: Collection[UUID], but: UUID) -> None:
    """Announces, after the commit, the messages that have these files; the decision announces its own."""
    attached = Attachment.objects.filter(file__in=changed).exclude(message=but)
    for message in Message.objects.filter(pk__in=attached.values("message"), hidden_at=None):
        send = partial(images_changed.send, Message, message=message)
        transaction.on_commit(send, robust=True)
