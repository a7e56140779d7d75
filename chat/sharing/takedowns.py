"""Keeps what staff took down from being shared again: by its conversation; elsewhere by words and images.

Known limits: words and images that were changed are other ones, and a conversation that somebody else
imported is somebody else's. Both are found only if readers report the new page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import translation
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Conversation
from chat.core import audit
from chat.core.errors import BadInput, ChatError, NotAllowed
from chat.files.models import File
from chat.files.same_images import digests_of as digests_of_files
from chat.moderation.deciding import DECIDE
from chat.sharing.models import Share, SharePage, TakeDown

TELLING_CHARS = 80  # a message this long identifies a conversation; shorter ones do so only together
DIGEST_HEX = 32


class TakenDown(ChatError):
    """Raised when staff took a shared page of this conversation down and have not lifted that."""

    code, http_status = "taken_down", 403


@transaction.atomic
def bind(share: Share, reason: str) -> None:
    """Closes this link and the other open ones of its conversation that show any of the same messages or
    images.
    """
    lock(share.conversation_id)
    digests, images, ids = _contents(share)
    TakeDown.objects.create(
        owner_id=share.owner_id,
        conversation_id=share.conversation_id,
        share=share,
        reason=reason,
        message_digests=digests,
        image_digests=sorted(images),
    )
    same = [each.pk for each in _open_beside(share) if ids & _ids_of(each) or images & _images_of(each)]
    Share.objects.filter(pk__in=[share.pk, *same], taken_down_at=None).update(taken_down_at=Now())


def lock(conversation_id: UUID) -> None:
    """Locks until the transaction ends, so that no link is made while its conversation is being taken
    down.
    """
    Conversation.objects.select_for_update().filter(pk=conversation_id).values_list("pk").first()


@transaction.atomic
def lift(*, take_down: TakeDown, by: User) -> None:
    """Allows new links, and forgets what recognised words and images. Links that were closed stay closed."""
    if not by.has_perm(DECIDE):
        raise NotAllowed(_("You may not take shared pages down."))
    standing = TakeDown.objects.filter(pk=take_down.pk, lifted_at=None)
    if not standing.update(lifted_at=Now(), message_digests={}, image_digests=[]):
        raise BadInput(_("This take-down is lifted already."))
    audit.record(
        by, "lift take-down", audit.on_model(take_down), share=take_down.share_id, owner=_owner(take_down)
    )


def in_force(conversation: Conversation) -> TakeDown | None:
    return TakeDown.objects.filter(conversation=conversation, lifted_at=None).first()


def check_not_taken_down(conversation: Conversation, messages: list[dict[str, Any]]) -> None:
    """Raises TakenDown, with the reason, if staff took down what a new link would show."""
    of_owner = Q(owner=conversation.owner_id) | Q(conversation=conversation)
    found = list(TakeDown.objects.filter(of_owner, lifted_at=None))
    if not found:
        return
    shown = digests_of(messages)
    for take_down in found:
        if take_down.conversation_id == conversation.pk or _shows_again(shown, take_down.message_digests):
            raise TakenDown(words(take_down))
    images = digests_of_images(messages)
    for take_down in found:
        if images.intersection(take_down.image_digests):
            raise TakenDown(words_on_images(take_down))


def _shows_again(shown: dict[str, bool], taken_down: dict[str, bool]) -> bool:
    """Returns whether the shown messages repeat one long message of the page taken down, or all of it."""
    if any(taken_down.get(digest) for digest in shown):
        return True
    return bool(taken_down) and taken_down.keys() <= shown.keys()


def words(take_down: TakeDown) -> str:
    """Returns the notice to the owner, in the reader's language, with the reason."""
    notice = _("Staff took down a shared page of this conversation, so no new link to it can be made.")
    return _with_reason(notice, take_down)


def words_on_images(take_down: TakeDown) -> str:
    """Returns the notice to the owner of a conversation that has an image of a page taken down."""
    notice = _(
        "Staff took down a shared page with an image that this conversation has, too. A link can be made "
        "without images."
    )
    return _with_reason(notice, take_down)


def _with_reason(notice: str, take_down: TakeDown) -> str:
    if not take_down.reason:
        return notice
    return f"{notice} " + _("Reason: %(reason)s") % {"reason": shown_reason(take_down)}


def shown_reason(take_down: TakeDown) -> str:
    """Returns the reason, translated if it is that of a report; texts of staff are in no catalogue."""
    # The labels of reports' reasons are in the catalogue already (chat/moderation/models.py).
    return translation.gettext(take_down.reason) if take_down.reason else ""


def digests_of(messages: Iterable[dict[str, Any]]) -> dict[str, bool]:
    """Returns a digest of each message, without case and white space, and whether it is long. Parts are
    joined first.
    """
    texts: dict[str, list[str]] = {}
    for message in messages:
        texts.setdefault(message["id"], []).append(message["text"])
    plain = {" ".join("".join(parts).split()).casefold() for parts in texts.values()}
    return {
        hashlib.sha256(text.encode()).hexdigest()[:DIGEST_HEX]: len(text) >= TELLING_CHARS for text in plain
    }


def digests_of_images(messages: Iterable[dict[str, Any]]) -> set[str]:
    """Returns what recognises the images that these messages of a page show, as far as they still exist."""
    shown = {UUID(image["id"]) for message in messages for image in message.get("images", [])}
    return digests_of_files(File.objects.filter(pk__in=shown).defer("text")) if shown else set()


def _contents(share: Share) -> tuple[dict[str, bool], set[str], set[str]]:
    """Returns digests of the messages and images that a share shows, and the ids of the messages."""
    messages = [each for page in share.pages.iterator(chunk_size=20) for each in page.messages]
    return digests_of(messages), digests_of_images(messages), {each["id"] for each in messages}


def _open_beside(share: Share) -> Iterable[Share]:
    others = Share.objects.filter(conversation=share.conversation_id, revoked_at=None, taken_down_at=None)
    return others.exclude(pk=share.pk)


def _ids_of(share: Share) -> set[str]:
    rows = SharePage.objects.filter(share=share).values_list("message_ids", flat=True)
    return {each for ids in rows for each in ids}


def _images_of(share: Share) -> set[str]:
    if not share.with_images:
        return set()
    pages = share.pages.iterator(chunk_size=20)
    return {digest for page in pages for digest in digests_of_images(page.messages)}


def _owner(take_down: TakeDown) -> str:
    return f"user:{take_down.owner_id}"
