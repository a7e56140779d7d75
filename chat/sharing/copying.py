"""Makes a shared link: copies a conversation as it stands, and later leaves parts of the copy out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import prefetch_related_objects
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.branches import current_leaf
from chat.conversations.models import Conversation, Message, Role
from chat.conversations.origins import origin_of
from chat.conversations.settlement import is_any_live
from chat.conversations.tree import path_to
from chat.core.entry_points import check_text
from chat.core.errors import BadInput, Busy, NotFound
from chat.core.signals import text_erased
from chat.core.text import grouped
from chat.files import attaching, file_storage
from chat.files.models import File
from chat.sharing import takedowns
from chat.sharing.models import Share, SharePage
from chat.sharing.paging import pages_of
from chat.sharing.policies import DEFAULT, policies
from chat.turns.shown_thoughts import thought_texts_of

EXPIRY_DAYS = 3650  # at most
SNAPSHOT_MESSAGES = 5000  # the newest ones of a longer conversation
COPIED_CHARS = 16_000_000  # of one share: 400 pages


def create_share(
    *,
    conversation: Conversation,
    owner: User,
    expires_days: int | None = None,
    policy: str = DEFAULT,
    options: Mapping[str, Any] | None = None,
    thoughts: bool = False,
    images: bool = False,
) -> Share:
    """Copies the branch that the owner has open. What is written later is not in it. `thoughts`: with what
    the model thought before its answers; `images`: with those of the questions, not only their names.

    `options`: values of the policy's `fields`; BadOptions says which of them it refuses.
    """
    if conversation.temporary:
        raise BadInput(_("A temporary chat cannot be shared. Keep it first."))
    chosen = policies().get(policy)
    if chosen is None:
        raise BadInput(_("Please choose who may open the link."))
    stored = chosen.options(options or {})
    if expires_days is not None and not 1 <= expires_days <= EXPIRY_DAYS:
        raise BadInput(_("A link can live for 1 to %(days)d days.") % {"days": EXPIRY_DAYS})
    copied = _copied_branch(_open_branch(owner, conversation), thoughts=thoughts, images=images)
    if not copied:
        raise BadInput(_("There is nothing to share yet."))
    _check_rules(conversation.title, copied)
    share = Share(
        conversation=conversation,
        owner=owner,
        title=conversation.title,
        policy=policy,
        options=stored,
        with_thoughts=thoughts,
        with_images=images,
        expires_at=timezone.now() + timedelta(days=expires_days) if expires_days else None,
    )
    return store_copy(share, copied)


def _open_branch(owner: User, conversation: Conversation) -> list[Message]:
    """Returns the branch that the owner has open. Raises Busy while its last reply is being written."""
    leaf = current_leaf(owner, conversation)
    branch = path_to(leaf, SNAPSHOT_MESSAGES) if leaf else []
    prefetch_related_objects(branch, "steps")
    if is_any_live(branch):
        raise Busy(_("The last reply is still being written. Please share when it has ended."))
    return branch


def _copied_branch(branch: list[Message], *, thoughts: bool, images: bool) -> list[dict[str, Any]]:
    """Returns what is published of a branch. Raises BadInput where that is too much for one share."""
    thought = thought_texts_of(branch) if thoughts else {}
    _check_size(branch, thought)
    carried = attaching.of_messages(branch)
    return [
        _copied(message, carried.get(message.pk, []), thought.get(message.pk, ""), images=images)
        for message in branch
        if _belongs(message)
    ]


@transaction.atomic
def store_copy(share: Share, copied: list[dict[str, Any]]) -> Share:
    """Saves a new share with its pages, unless staff took down what it would show."""
    takedowns.lock(share.conversation_id)
    takedowns.check_not_taken_down(share.conversation, copied)
    pages = [
        SharePage(
            share=share,
            number=number,
            messages=messages,
            message_ids=list(dict.fromkeys(each["id"] for each in messages)),
        )
        for number, messages in enumerate(pages_of(copied), 1)
    ]
    share.page_count = len(pages)
    share.save(force_insert=True)
    SharePage.objects.bulk_create(pages, batch_size=20)
    share.refresh_from_db(fields=["created_at"])
    return share


def _check_size(branch: list[Message], thoughts: Mapping[UUID, str]) -> None:
    chars = sum(len(message.text) for message in branch) + sum(map(len, thoughts.values()))
    if chars > COPIED_CHARS:
        raise BadInput(
            _("This conversation has %(chars)s characters; a shared page holds at most %(limit)s.")
            % {"chars": grouped(chars), "limit": grouped(COPIED_CHARS)}
        )


def _check_rules(title: str, snapshot: list[dict[str, Any]]) -> None:
    """Checks the rules again before publishing: they may be newer than the text."""
    asked = [each["text"] for each in snapshot if each["role"] == Role.USER]
    answers = [each for each in snapshot if each["role"] == Role.ASSISTANT]
    check_text("share_question", title, *asked)
    check_text("share_answer", *(each["text"] for each in answers if not each["origin"]))
    check_text("share_answer", *(each["thoughts"] for each in answers if "thoughts" in each))
    check_text("import_answer", *(each["text"] for each in answers if each["origin"]))


def _belongs(message: Message) -> bool:
    return message.role in (Role.USER, Role.ASSISTANT) and message.hidden_at is None and bool(message.text)


def _copied(message: Message, carried: list[File], thoughts: str, *, images: bool) -> dict[str, Any]:
    """Returns what is published of a message. Files are named only: their content was for the model. With
    `images`, the copy refers to those that can be shown.
    """
    copy: dict[str, Any] = {"id": str(message.pk), "role": message.role, "text": message.text}
    if message.role == Role.ASSISTANT:
        copy["origin"] = origin_of(message)
    if thoughts:
        copy["thoughts"] = thoughts
    shown = [file for file in carried if images and file_storage.is_shown(file)]
    if shown:
        copy["images"] = [{"id": str(file.pk), "name": file.name} for file in shown]
    return {**copy, "files": [file.name for file in carried if file not in shown]} if carried else copy


def leave_out_thoughts(*, share: Share) -> None:
    """Deletes the thoughts from the copy of an open link; they do not come back."""
    _leave_out(share, "with_thoughts", lambda each: _without(each, "thoughts"))


def leave_out_images(*, share: Share) -> None:
    """Deletes the images from the copy of an open link, all but their names."""
    _leave_out(share, "with_images", _images_named)


def _images_named(copied: dict[str, Any]) -> dict[str, Any]:
    names = [each["name"] for each in copied.get("images", [])]
    return {**_without(copied, "images"), "files": [*names, *copied.get("files", [])]} if names else copied


def _without(copied: dict[str, Any], field: str) -> dict[str, Any]:
    return {name: value for name, value in copied.items() if name != field}


@transaction.atomic
def _leave_out(share: Share, flag: str, changed: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    locked = Share.objects.select_for_update().filter(pk=share.pk, revoked_at=None).first()
    if locked is None:
        raise NotFound
    for page in SharePage.objects.filter(share=locked).iterator(chunk_size=20):
        page.messages = [changed(each) for each in page.messages]
        page.save(update_fields=["messages"])
    setattr(locked, flag, False)
    locked.save(update_fields=[flag])
    text_erased.send_robust(Share)
