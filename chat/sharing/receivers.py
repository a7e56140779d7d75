"""Closes links when conversations are deleted or staff take a page down."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.dispatch import receiver

from chat.accounts.models import User
from chat.conversations.models import Conversation
from chat.conversations.signals import all_deleted, conversation_deleted
from chat.moderation.hooks import take_down_share
from chat.sharing import links


@receiver(conversation_deleted)
def on_conversation_deleted(conversation: Conversation, **_: Any) -> None:
    links.close_shares(conversation)


@receiver(all_deleted)
def on_all_deleted(owner: User, **_: Any) -> None:
    links.close_all(owner)


@take_down_share.register
def close_taken_down(share_id: UUID, reason: str) -> bool:
    return links.take_down(share_id, reason)
