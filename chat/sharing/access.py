"""Finds shared links: one function for readers, one for owners."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message
from chat.core.errors import ChatError, NotFound, NotLoggedIn
from chat.files.models import File, Kind
from chat.sharing import access_cookie
from chat.sharing.models import Share, SharePage
from chat.sharing.policies import policy_for


class ReaderAsked(ChatError):
    """Raised when the share's policy asks its reader for something first; chat/sharing/views.py shows the
    form.
    """

    code, http_status = "reader_asked", 403

    def __init__(self, share: Share) -> None:
        self.share = share
        super().__init__(_("Open the shared page first: it asks you something."))


def share_for(reader: User | AnonymousUser, token: str, cookie: str) -> Share:
    """Returns an open share to a reader whom its policy lets in; `cookie` shows what they answered.

    Raises ReaderAsked, NotLoggedIn where logging in helps, else NotFound.
    """
    share = unanswered_share_for(reader, token)
    if policy_for(share.policy).questions and not access_cookie.is_valid(share, cookie):
        raise ReaderAsked(share)
    return share


def unanswered_share_for(reader: User | AnonymousUser, token: str) -> Share:
    """Returns a share to a reader who may be asked its policy's questions, or who opens it without any.

    Raises NotFound, the same for every reason: turned off, expired, taken down, never made, its conversation
    deleted, its owner suspended.
    """
    shares = Share.objects.select_related("conversation__model", "owner")
    share = shares.filter(token=token, conversation__deleted_at=None).first()
    if share is None or not share.is_open or not _owner_may_publish(share):
        raise NotFound
    policy = policy_for(share.policy)
    if policy.may_open(share, reader):
        return share
    if policy.login_helps and not reader.is_authenticated:
        raise NotLoggedIn
    raise NotFound


def _owner_may_publish(share: Share) -> bool:
    """Returns whether the owner may publish. Suspension closes their pages until it ends, unless a setting
    keeps them open.
    """
    if not share.owner.is_active:
        return False
    return settings.SHARES_OF_SUSPENDED or not share.owner.is_suspended


def share_of(conversation: Conversation, token: str) -> Share:
    """Returns a link to a conversation that its owner has already been granted."""
    share = Share.objects.filter(conversation=conversation, token=token).first()
    if share is None or not share.is_open:
        raise NotFound
    return share


def shared_image_for(reader: User | AnonymousUser, token: str, cookie: str, number: int, pk: UUID) -> File:
    """Returns an image on a page of an open share to a reader whom its policy lets in.

    Raises as `share_for` does, and NotFound for an image that this page does not show, or whose message is
    hidden.
    """
    share = share_for(reader, token, cookie)
    return _image_on(share, number, pk, Message.objects.filter(hidden_at=None))


def shared_image_for_staff(user: User, share_pk: UUID, number: int, pk: UUID) -> File:
    """Returns an image on a page of a share that staff may read. The caller records the reading."""
    share = Share.objects.select_related("conversation").filter(pk=share_pk).first()
    if share is None or not user.has_perm("sharing.view_share") or not may_staff_read(user, share):
        raise NotFound
    return _image_on(share, number, pk, Message.objects.all())


def may_staff_read(user: User, share: Share) -> bool:
    """Returns whether staff who may view shares may read this one: closed, it is as private as its
    conversation.
    """
    is_public = share.is_open and share.conversation.deleted_at is None
    return is_public or user.has_perm("conversations.view_conversation")


def _image_on(share: Share, number: int, pk: UUID, among: QuerySet[Message]) -> File:
    page = SharePage.objects.filter(share=share, number=number).first()
    named = {
        message["id"]
        for message in (page.messages if page else [])
        if any(each["id"] == str(pk) for each in message.get("images", []))
    }
    carrying = among.filter(conversation=share.conversation_id, pk__in=named)
    images = File.objects.select_related("owner").filter(kind=Kind.IMAGE, attachments__message__in=carrying)
    file = images.filter(pk=pk).first()
    if file is None:
        raise NotFound
    return file
