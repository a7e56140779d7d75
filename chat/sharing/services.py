"""Services of shared links: make one from a conversation as it stands, turn it off, read it, report it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet, prefetch_related_objects
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.branches import current_leaf
from chat.conversations.models import Conversation, Message, Role
from chat.conversations.origins import Origin, origin_of, origin_words
from chat.conversations.settlement import is_any_live
from chat.conversations.tree import path_to
from chat.core.entry_points import check_text
from chat.core.errors import BadInput, Busy, NotFound
from chat.core.signals import text_erased
from chat.core.text import grouped
from chat.files import attaching, file_storage
from chat.files.models import Attachment, File, Kind
from chat.files.responses import on_page
from chat.moderation.models import Report
from chat.moderation.reporting import report_share
from chat.sharing import takedowns
from chat.sharing.models import Share, SharePage
from chat.sharing.paging import pages_of
from chat.sharing.policies import DEFAULT, policies, policy_for, policy_label
from chat.sharing.render import prompt_html
from chat.turns.shown_thoughts import thought_texts_of

EXPIRY_DAYS = 3650  # at most
SNAPSHOT_MESSAGES = 5000  # the newest ones of a longer conversation
COPIED_CHARS = 16_000_000  # of one share: 400 pages
REPORTED_CHARS = 20_000  # of the page's text kept with a report


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
    leaf = current_leaf(owner, conversation)
    branch = path_to(leaf, SNAPSHOT_MESSAGES) if leaf else []
    prefetch_related_objects(branch, "steps")
    if is_any_live(branch):
        raise Busy(_("The last reply is still being written. Please share when it has ended."))
    thought = thought_texts_of(branch) if thoughts else {}
    _check_size(branch, thought)
    carried = attaching.of_messages(branch)
    copied = [
        _copied(message, carried.get(message.pk, []), thought.get(message.pk, ""), images=images)
        for message in branch
        if _belongs(message)
    ]
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


@dataclass(slots=True)
class Page:
    """The part of a share that a reader sees at once. render_jobs.py makes the `html` of its messages."""

    share: Share
    title: str
    number: int
    messages: list[dict[str, Any]]
    imported: bool  # whether some answers were not written by the model here

    def replies(self) -> list[str]:
        """Returns the texts whose HTML takes time: Markdown."""
        return [each["text"] for each in self.messages if _is_markdown(each)]

    def with_html(self, replies: Sequence[str]) -> list[dict[str, Any]]:
        """Returns the messages for the template; `replies` is the HTML of `replies()`."""
        made = iter(replies)
        return [
            {
                **{name: value for name, value in each.items() if name != "text"},
                "html": next(made) if _is_markdown(each) else prompt_html(each["text"]),
            }
            for each in self.messages
        ]


def _is_markdown(message: dict[str, Any]) -> bool:
    return message["role"] == Role.ASSISTANT and not message["hidden"]


def readable(share: Share, number: int = 1) -> Page:
    """Returns a page without the text of the messages that moderation hid since. The title may be made of a
    question, so it goes with the first hidden one, whichever that was. Raises NotFound for no such page."""
    page = SharePage.objects.filter(share=share, number=number).first()
    if page is None:
        raise NotFound
    hidden = _hidden_since(share)
    origins = origins_in(share, page.messages)
    messages = [
        {**each, "text": "", "thoughts": "", "files": [], "images": [], "hidden": True, "origin": ""}
        if each["id"] in hidden
        else {"files": [], **each, "hidden": False, "origin": origin_words(origins.get(each["id"]))}
        for each in page.messages
    ]
    messages = with_images(messages, _address_for(share, number))
    return Page(share, "" if hidden else share.title, number, messages, bool(origins))


def _address_for(share: Share, number: int) -> Callable[[str], str]:
    return lambda pk: reverse("shared_image", args=[share.token, number, pk])


def with_images(messages: list[dict[str, Any]], address: Callable[[str], str]) -> list[dict[str, Any]]:
    """Returns the messages of a page with their images as pages show them. Of one that is gone, as with a
    deleted question, the name is left, also where another version of the question still has it.
    """
    with_some = [message["id"] for message in messages if message.get("images")]
    if not with_some:
        return messages
    attached = Attachment.objects.filter(message__in=with_some, file__kind=Kind.IMAGE)
    shown = {
        (str(each.message_id), str(each.file_id)): on_page(each.file, address(str(each.file_id)))
        for each in attached.select_related("file").defer("file__text")
        if file_storage.is_shown(each.file)
    }
    return [_with_images(message, shown) for message in messages]


def _with_images(message: dict[str, Any], shown: Mapping[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    images = [(each["name"], shown.get((message["id"], each["id"]))) for each in message.get("images", [])]
    gone = [name for name, image in images if image is None]
    here = [image for _, image in images if image is not None]
    return {**message, "images": here, "files": [*gone, *message.get("files", [])]}


def origins_in(share: Share, copied: list[dict[str, Any]]) -> dict[str, Origin]:
    """Returns origins by message id. Copies made before origins were stored get them from the messages."""
    answers = [each for each in copied if each["role"] == Role.ASSISTANT]
    found = {each["id"]: each["origin"] for each in answers if "origin" in each}
    older = [each["id"] for each in answers if "origin" not in each]
    if older:
        theirs = Message.objects.filter(conversation=share.conversation_id, pk__in=older)
        imported = theirs.exclude(source="").prefetch_related("steps").defer("text")
        found = {str(message.pk): origin_of(message) for message in imported} | found
    return {key: origin for key, origin in found.items() if origin}


def _hidden_since(share: Share) -> set[str]:
    hidden = Message.objects.filter(conversation=share.conversation_id, hidden_at__isnull=False)
    return {str(pk) for pk in hidden.values_list("pk", flat=True)}


def report(
    *, share: Share, reporter: User | None, reason: str, note: str = "", message_id: str = "", page: int = 1
) -> Report:
    """Reports one page, or one message of any page. The text is kept as the reader saw it."""
    shown = _reported(share, message_id, page)
    origins = origins_in(share, shown)
    text = "\n\n".join(_as_text(each, origins.get(each["id"])) for each in shown)
    single = origins.get(message_id)
    return report_share(
        reporter=reporter,
        share_id=share.pk,
        message_id=UUID(message_id) if message_id else None,
        text=text[:REPORTED_CHARS],
        author=share.owner,
        reason=reason,
        note=note,
        source=single["source"] if single else "",
    )


def _as_text(copied: dict[str, Any], origin: Origin | None) -> str:
    imported = f" [{origin_words(origin)}]" if origin else ""
    thoughts = f"[thoughts] {copied['thoughts']}\n\n" if copied.get("thoughts") else ""
    return f"{copied['role']}{imported}: {thoughts}{copied['text']}"


def _reported(share: Share, message_id: str, number: int) -> list[dict[str, Any]]:
    """Returns the reported messages: all of the page, or the one named (its first part, if it is long)."""
    if message_id:
        rows = SharePage.objects.filter(share=share).order_by("number").values_list("number", "message_ids")
        number = next((row for row, ids in rows.iterator() if message_id in ids), 0)
    page = SharePage.objects.filter(share=share, number=number).first()
    hidden = _hidden_since(share)
    shown = [each for each in (page.messages if page else []) if each["id"] not in hidden]
    if message_id:
        shown = [each for each in shown if each["id"] == message_id]
        if not shown:
            raise BadInput(_("That message is not on this page."))
    return shown
