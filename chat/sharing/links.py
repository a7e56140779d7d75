"""Lists shared links, changes who may open them, and turns them off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from chat.accounts.models import User
from chat.conversations.models import Conversation
from chat.core.errors import NotFound
from chat.core.signals import text_erased
from chat.sharing import takedowns
from chat.sharing.models import Share, SharePage
from chat.sharing.policies import policy_for, policy_label


@transaction.atomic
def change_options(*, share: Share, options: Mapping[str, Any]) -> None:
    """Replaces the options of an open link's policy, as its password. Readers are asked again."""
    locked = (
        Share.objects.select_for_update().filter(pk=share.pk, revoked_at=None, taken_down_at=None).first()
    )
    if locked is None:
        raise NotFound
    locked.options = policy_for(locked.policy).options(options, locked.options)
    locked.save(update_fields=["options"])


def revoke(*, share: Share) -> None:
    """Turns a link off for its owner. The copy and its title go with it; reports keep their own text."""
    _close(Share.objects.filter(pk=share.pk))


def close_shares(conversation: Conversation) -> None:
    """Deletes the copies of a deleted conversation; its links closed with it (access.py)."""
    _close(Share.objects.filter(conversation=conversation))


def close_all(owner: User) -> None:
    """Closes everything a person shared."""
    _close(Share.objects.filter(owner=owner))


@transaction.atomic
def _close(shares: QuerySet[Share]) -> None:
    closing = list(shares.filter(revoked_at=None).values_list("pk", flat=True))
    Share.objects.filter(pk__in=closing, revoked_at=None).update(
        revoked_at=Now(), title="", page_count=0, options={}
    )
    SharePage.objects.filter(share__in=closing).delete()
    if closing:
        text_erased.send_robust(Share)


@transaction.atomic
def take_down(share_id: UUID, reason: str) -> bool:
    """Takes a share down by decision of staff; returns False if it was down already. The copy stays for an
    appeal, and the conversation gets no new link.
    """
    share = Share.objects.select_for_update().filter(pk=share_id).first()
    if share is None or share.taken_down_at is not None:
        return False
    takedowns.bind(share, reason)
    return True


def open_shares(conversation: Conversation) -> list[Share]:
    shares = Share.objects.filter(conversation=conversation, revoked_at=None, taken_down_at=None)
    return [share for share in shares if share.is_open]


def share_json(share: Share) -> dict[str, Any]:
    return {
        "token": share.token,
        "url": settings.SITE_URLS[0].rstrip("/") + share.get_absolute_url(),
        "created_at": share.created_at.isoformat(),
        "expires_at": share.expires_at.isoformat() if share.expires_at else None,
        "policy": share.policy,
        "policy_label": policy_label(share.policy),
        "thoughts": share.with_thoughts,
        "images": share.with_images,
    }
