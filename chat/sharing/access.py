"""The doors to shared links: one for readers, one for owners."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser

from chat.accounts.models import User
from chat.conversations.models import Conversation
from chat.core.errors import NotFound, NotLoggedIn
from chat.sharing.models import Share
from chat.sharing.policies import policy_for


def share_for(reader: User | AnonymousUser, token: str) -> Share:
    """Turned off, expired, taken down, never made, its conversation deleted: the answer is the same."""
    shares = Share.objects.select_related("conversation__model", "owner")
    share = shares.filter(token=token, conversation__deleted_at=None).first()
    if share is None or not share.is_open:
        raise NotFound
    policy = policy_for(share.policy)
    if policy.may_open(share, reader):
        return share
    if policy.login_helps and not reader.is_authenticated:
        raise NotLoggedIn
    raise NotFound


def share_of(conversation: Conversation, token: str) -> Share:
    """A link to a conversation that its owner has opened through its own door."""
    share = Share.objects.filter(conversation=conversation, token=token).first()
    if share is None or not share.is_open:
        raise NotFound
    return share
