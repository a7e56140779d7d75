"""Making a link to a conversation as it stands, turning it off, reading it, reporting it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message, Role
from chat.conversations.services import current_leaf, is_any_live, path_to
from chat.core.errors import BadInput, Busy
from chat.core.signals import text_erased
from chat.files import services as files
from chat.files.models import File
from chat.moderation.models import Report
from chat.moderation.services import report_share
from chat.sharing.models import Share
from chat.sharing.policies import POLICIES
from chat.sharing.render import prompt_html, replies_html

EXPIRY_DAYS = 3650  # at most
SNAPSHOT_MESSAGES = 5000  # the newest ones of a longer conversation
REPORTED_CHARS = 20_000  # of the page's text kept with a report


def create_share(
    *, conversation: Conversation, owner: User, expires_days: int | None = None, policy: str = "anyone"
) -> Share:
    """A copy of the branch that the owner has open. What is written later is not in it."""
    if conversation.temporary:
        raise BadInput(_("A temporary chat cannot be shared. Keep it first."))
    if policy not in POLICIES:
        raise BadInput(_("Please choose who may open the link."))
    if expires_days is not None and not 1 <= expires_days <= EXPIRY_DAYS:
        raise BadInput(_("A link can live for 1 to %(days)d days.") % {"days": EXPIRY_DAYS})
    leaf = current_leaf(owner, conversation)
    branch = path_to(leaf, SNAPSHOT_MESSAGES) if leaf else []
    if is_any_live(branch):
        raise Busy(_("The last reply is still being written. Please share when it has ended."))
    carried = files.of_messages(branch)
    snapshot = [_copied(message, carried.get(message.pk, [])) for message in branch if _belongs(message)]
    if not snapshot:
        raise BadInput(_("There is nothing to share yet."))
    return Share.objects.create(
        conversation=conversation,
        owner=owner,
        title=conversation.title,
        policy=policy,
        snapshot=snapshot,
        expires_at=timezone.now() + timedelta(days=expires_days) if expires_days else None,
    )


def _belongs(message: Message) -> bool:
    return message.role in (Role.USER, Role.ASSISTANT) and message.hidden_at is None and bool(message.text)


def _copied(message: Message, carried: list[File]) -> dict[str, Any]:
    """Of files their names only: what is in them was for the model."""
    copy: dict[str, Any] = {"id": str(message.pk), "role": message.role, "text": message.text}
    return {**copy, "files": [file.name for file in carried]} if carried else copy


def revoke(*, share: Share) -> None:
    """By its owner. The copy goes with the link; reports keep their own text."""
    _erase(Share.objects.filter(pk=share.pk))


def close_shares(conversation: Conversation) -> None:
    """The conversation was deleted. The door (access.py) closed with that; the copies go, too."""
    _erase(Share.objects.filter(conversation=conversation))


def close_all(owner: User) -> None:
    """The same for everything a person shared."""
    _erase(Share.objects.filter(owner=owner))


def _erase(shares: QuerySet[Share]) -> None:
    if shares.filter(revoked_at=None).update(revoked_at=Now(), snapshot=[], title=""):
        text_erased.send_robust(Share)


def take_down(share_id: UUID) -> None:
    """Decided by staff. The copy stays for an appeal."""
    Share.objects.filter(pk=share_id, taken_down_at=None).update(taken_down_at=Now())


def open_shares(conversation: Conversation) -> list[Share]:
    shares = Share.objects.filter(conversation=conversation, revoked_at=None, taken_down_at=None)
    return [share for share in shares.defer("snapshot") if share.is_open]


def share_json(share: Share) -> dict[str, Any]:
    return {
        "token": share.token,
        "url": settings.SITE_URLS[0].rstrip("/") + share.get_absolute_url(),
        "created_at": share.created_at.isoformat(),
        "expires_at": share.expires_at.isoformat() if share.expires_at else None,
        "policy": share.policy,
    }


@dataclass(frozen=True, slots=True)
class Page:
    """What a reader sees of a share."""

    title: str
    messages: list[dict[str, Any]]


def readable(share: Share) -> Page:
    """Without the text of the messages that moderation hid since. The title may be made of a question, so it
    goes with the first hidden one, whichever that was."""
    hidden = _hidden_since(share)
    html = _html([each for each in share.snapshot if each["id"] not in hidden])
    messages = [
        {
            "id": each["id"],
            "role": each["role"],
            "hidden": each["id"] in hidden,
            "html": html.get(each["id"], ""),
            "files": each.get("files", []),
        }
        for each in share.snapshot
    ]
    return Page("" if hidden else share.title, messages)


def _html(copied: list[dict[str, Any]]) -> dict[str, str]:
    """By the id of the message."""
    replies = {each["id"]: each["text"] for each in copied if each["role"] == Role.ASSISTANT}
    prompts = {each["id"]: prompt_html(each["text"]) for each in copied if each["id"] not in replies}
    return {**prompts, **dict(zip(replies, replies_html([*replies.values()]), strict=True))}


def _hidden_since(share: Share) -> set[str]:
    hidden = Message.objects.filter(conversation=share.conversation_id, hidden_at__isnull=False)
    return {str(pk) for pk in hidden.values_list("pk", flat=True)}


def report(
    *, share: Share, reporter: User | None, reason: str, note: str = "", message_id: str = ""
) -> Report:
    """The whole page, or one message of it. The text is kept as the reader saw it."""
    hidden = _hidden_since(share)
    shown = [each for each in share.snapshot if each["id"] not in hidden]
    if message_id:
        shown = [each for each in shown if each["id"] == message_id]
        if not shown:
            raise BadInput(_("That message is not on this page."))
    text = "\n\n".join(f"{each['role']}: {each['text']}" for each in shown)
    return report_share(
        reporter=reporter,
        share_id=share.pk,
        message_id=UUID(message_id) if message_id else None,
        text=text[:REPORTED_CHARS],
        author=share.owner,
        reason=reason,
        note=note,
    )
