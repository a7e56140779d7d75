"""Hides the images of a message that staff hid, wherever its conversation has them.

The versions of an edited question carry the same file, and its owner may have uploaded the image again. What
was hidden, and with which message, is kept for the conversation: so the image stays hidden and is not sent
there again when that message is deleted, and is shown again when each decision is taken back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from chat.conversations.models import Conversation, Message
from chat.core.errors import BadInput
from chat.files.models import Attachment, File, HiddenImage
from chat.files.same_images import digests_of, with_digests
from chat.files.signals import images_changed


@transaction.atomic
def hide_images(message_id: UUID) -> int:
    """Hides the images of a message that was just hidden, and those equal to them in its conversation;
    returns how many files.
    """
    digests = digests_of(File.objects.defer("text").filter(attachments__message=message_id))
    conversation = Message.objects.filter(pk=message_id).values_list("conversation", flat=True).first()
    if not digests or conversation is None:
        return 0
    HiddenImage.objects.bulk_create(
        [
            HiddenImage(conversation_id=conversation, hidden_with=message_id, digest=each)
            for each in sorted(digests)
        ],
        ignore_conflicts=True,
    )
    found = _locked(_carried_in([conversation]).filter(with_digests(digests)))
    changed = [file.pk for file in found if not file.is_hidden]
    File.objects.filter(pk__in=changed).update(is_hidden=True)
    _announce(changed, message_id)
    return len(changed)


@transaction.atomic
def show_images(message_id: UUID) -> int:
    """Shows the images again that were hidden with a message, also if that is deleted since; returns how
    many files. An image that was hidden with another message of the conversation, too, stays hidden.
    """
    decided = HiddenImage.objects.filter(hidden_with=message_id)
    digests = set(decided.values_list("digest", flat=True))
    conversations = set(decided.values_list("conversation", flat=True))
    owners = Conversation.objects.filter(pk__in=conversations).values("owner")
    files = _locked(File.objects.filter(with_digests(digests), owner__in=owners, is_hidden=True))
    decided.delete()
    shown = [file.pk for file in files if not _stays_hidden(file, conversations)]
    File.objects.filter(pk__in=shown).update(is_hidden=False)
    _announce(shown, message_id)
    return len(shown)


def check_not_hidden(files: Sequence[File], conversation: Conversation) -> None:
    """Raises BadInput for an image, uploaded again, that staff hid in this conversation. One that an edited
    message had stays with it, hidden.
    """
    new = [file for file in files if not file.is_hidden]
    hidden = HiddenImage.objects.filter(conversation=conversation, digest__in=digests_of(new))
    known = set(hidden.values_list("digest", flat=True)) if digests_of(new) else set()
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


def _stays_hidden(file: File, conversations: Collection[UUID]) -> bool:
    """Returns whether it was hidden with another message of these conversations, or of one that has it."""
    carry = Message.objects.filter(attachments__file=file).values("conversation")
    others = HiddenImage.objects.filter(digest__in=digests_of([file]))
    return others.filter(Q(conversation__in=carry) | Q(conversation__in=conversations)).exists()


def _announce(changed: Collection[UUID], but: UUID) -> None:
    """Announces, after the commit, the messages that have these files; the decision announces its own."""
    attached = Attachment.objects.filter(file__in=changed).exclude(message=but)
    for message in Message.objects.filter(pk__in=attached.values("message"), hidden_at=None):
        send = partial(images_changed.send, Message, message=message)
        transaction.on_commit(send, robust=True)
