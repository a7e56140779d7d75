"""Finds files for a person. Unknown files, files of others and files of deleted messages look the same."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.models import AnonymousUser

from chat.accounts.models import User
from chat.conversations.models import Message
from chat.core.errors import NotFound
from chat.files.models import Attachment, File, Kind
from chat.moderation.models import Report


def file_for(user: User | AnonymousUser, pk: UUID) -> File:
    if not isinstance(user, User):
        raise NotFound
    try:
        return File.objects.visible_to(user).get(pk=pk)
    except File.DoesNotExist:
        raise NotFound from None


def image_for_staff(user: User, pk: UUID) -> File:
    """Returns an image of a message that a member of staff may read: any with the right to view
    conversations, one of a reported message with the right to view reports. A report of a shared page gives
    no right: its link may leave the images out.

    It may be hidden, but a deleted conversation has none. The caller records the reading.
    """
    messages = Message.objects.filter(conversation__deleted_at=None)
    if not user.has_perm("conversations.view_conversation"):
        if not user.has_perm("moderation.view_report"):
            raise NotFound
        reported = Report.objects.filter(share_id=None).exclude(message_id=None)
        messages = messages.filter(pk__in=reported.values("message_id"))
    carried = Attachment.objects.filter(message__in=messages).values("file")
    file = File.objects.select_related("owner").filter(pk=pk, pk__in=carried, kind=Kind.IMAGE).first()
    if file is None:
        raise NotFound
    return file
