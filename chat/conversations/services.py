"""Conversations: made, named, deleted, and read along one branch of their message tree."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations import signals
from chat.conversations.model_cards import default_model as default_model
from chat.conversations.model_cards import model_json as model_json
from chat.conversations.models import Conversation, Leaf, Message, MessageStatus, ModelCard, Role
from chat.conversations.origins import origin_of
from chat.core.entry_points import check_text
from chat.core.errors import BadInput, Busy
from chat.core.text import one_line

PAGE = 50  # messages in one page of a transcript
TITLE_CHARS = 60  # of a title made from the first message
PURGE_AFTER = timedelta(seconds=60)  # time for running replies to be stopped and settled
TEMPORARY_FOR = timedelta(hours=24)  # after the last message
PURGE_ROWS = 50  # at once: SQLite's writers share one lock

# Apps to the right add to what is told about one conversation ("shares"), from their AppConfig.ready.
CONVERSATION_EXTRAS: list[Callable[[Conversation], dict[str, Any]]] = []
# And to what is told about messages: each sets `extras` of all of them with as few queries as for one.
MESSAGE_EXTRAS: list[Callable[[list[Message]], None]] = []


# --- Conversations ----------------------------------------------------------------------------------------


def new_conversation(
    *, owner: User, model: ModelCard, title: str = "", first_message: str = "", temporary: bool = False
) -> Conversation:
    """`title` is a person's choice; without one it is made from `first_message`, which its sender checks."""
    check_text("title", title)
    title = _checked_title(title or title_from(first_message))
    return Conversation.objects.create(owner=owner, model=model, title=title, temporary=temporary)


def rename(*, conversation: Conversation, title: str) -> Conversation:
    conversation.title = _checked_title(title)
    if not conversation.title:
        raise BadInput(_("Please write a title."))
    check_text("title", conversation.title)
    with transaction.atomic():
        named = Conversation.objects.filter(pk=conversation.pk, deleted_at=None)
        if named.update(title=conversation.title):
            tell_after_commit(conversation, deleted=False)
    return conversation


def retitle(*, conversation: Conversation, title: str, instead_of: str) -> None:
    """Not by a person: theirs stays. `instead_of` is the title that may go."""
    with transaction.atomic():
        unnamed = Conversation.objects.filter(pk=conversation.pk, title=instead_of, deleted_at=None)
        if unnamed.update(title=_checked_title(title)):
            conversation.title = title
            tell_after_commit(conversation, deleted=False)


def choose_model(*, conversation: Conversation, model: ModelCard) -> None:
    """For the answers to come; those that are there, or being written, keep theirs."""
    with transaction.atomic():
        known = Conversation.objects.filter(pk=conversation.pk, deleted_at=None)
        if known.exclude(model=model).update(model=model):
            conversation.model = model
            tell_after_commit(conversation, deleted=False)


def keep(*, conversation: Conversation) -> None:
    """A temporary one becomes one like any other."""
    with transaction.atomic():
        temporary = Conversation.objects.filter(pk=conversation.pk, temporary=True, deleted_at=None)
        if temporary.update(temporary=False):
            conversation.temporary = False
            tell_after_commit(conversation, deleted=False)


def delete(*, conversation: Conversation) -> None:
    """Gone for everybody from the commit on; the rows follow in `purge`, once no reply is being written."""
    _delete(conversation, Conversation.objects.filter(deleted_at=None))


def expire() -> None:
    """Delete the temporary ones whose time is over, unless they are kept or written in at this moment."""
    until = timezone.now() - TEMPORARY_FOR
    over = Conversation.objects.filter(temporary=True, updated_at__lt=until, deleted_at=None)
    for conversation in over:
        _delete(conversation, over)


def _delete(conversation: Conversation, among: QuerySet[Conversation]) -> None:
    with transaction.atomic():
        if among.filter(pk=conversation.pk).update(deleted_at=Now()):
            conversation.deleted_at = timezone.now()
            tell_after_commit(conversation, deleted=True)


def tell_after_commit(conversation: Conversation, *, deleted: bool) -> None:
    def tell() -> None:
        # Robust: a listener that fails (Redis is down) is logged and does not keep the others from hearing.
        if deleted:
            signals.conversation_deleted.send_robust(Conversation, conversation=conversation)
        signals.conversation_changed.send_robust(Conversation, conversation=conversation, deleted=deleted)

    transaction.on_commit(tell, robust=True)


def purge() -> int:
    """Remove what was deleted, in small transactions; returns how many conversations went."""
    live = Message.objects.filter(conversation=OuterRef("pk"), status=MessageStatus.LIVE)
    ripe = Conversation.objects.filter(~Exists(live), deleted_at__lt=timezone.now() - PURGE_AFTER)
    return _purge(list(ripe.values_list("pk", flat=True)))


def purge_of(owner: User) -> int:
    """Every conversation of somebody who is leaving, at once. Nothing of theirs is being written any more."""
    return _purge(list(Conversation.objects.filter(owner=owner).values_list("pk", flat=True)))


def _purge(conversation_pks: list[UUID]) -> int:
    for conversation_pk in conversation_pks:
        while _purge_messages(conversation_pk):
            pass
        Conversation.objects.filter(pk=conversation_pk).delete()
    return len(conversation_pks)


def _purge_messages(conversation_pk: UUID) -> int:
    batch = list(
        Message.objects.filter(conversation=conversation_pk).values_list("pk", flat=True)[:PURGE_ROWS]
    )
    with transaction.atomic():
        # Cut off first: a deleted message would take its whole branch with it in the same transaction.
        Message.objects.filter(parent__in=batch).update(parent=None)
        Message.objects.filter(pk__in=batch).delete()
    return len(batch)


# --- Titles -----------------------------------------------------------------------------------------------


def title_from(text: str) -> str:
    """A title for a conversation that starts with `text`: its first line with anything to see on it."""
    for line in text[:10_000].splitlines():
        title = one_line(line[:1000])
        if title:
            return _shortened(title)
    return ""


def _shortened(title: str) -> str:
    if len(title) <= TITLE_CHARS:
        return title
    end = TITLE_CHARS - 1  # one for the ellipsis
    space = title.rfind(" ", 0, end + 1)
    if space > TITLE_CHARS // 2:
        end = space
    while end > 1 and _belongs_together(title[end - 1], title[end]):
        end -= 1
    return title[:end].rstrip() + "…"


def _belongs_together(one: str, other: str) -> bool:
    """A letter and its accent, or the parts of a joined emoji."""
    return bool(unicodedata.combining(other)) or other in "\u200d\ufe0f" or one == "\u200d"


def _checked_title(title: str) -> str:
    limit = Conversation._meta.get_field("title").max_length or 0
    title = one_line(title)
    if len(title) > limit:
        raise BadInput(
            _("A title has at most %(limit)d characters; this one has %(length)d.")
            % {"limit": limit, "length": len(title)}
        )
    return title


# --- Ends -------------------------------------------------------------------------------------------------


def settle_ended(messages: Sequence[Message]) -> None:
    """Brings those up to date whose reply has ended. Never inside a transaction: Redis is asked (rule 14).

    A page hears of an end from the log, a moment before the row does; who shares, judges or prints the reply
    in that moment need not wait.
    """
    live = [message for message in messages if message.status == MessageStatus.LIVE]
    if not live:
        return
    signals.ends_wanted.send_robust(Message, messages=live)
    now = Message.objects.only("status", "text").in_bulk([message.pk for message in live])
    for message in live:
        if fresh := now.get(message.pk):
            message.status, message.text = fresh.status, fresh.text


def is_any_live(messages: Sequence[Message]) -> bool:
    """Whether one of them is being written, after the above."""
    settle_ended(messages)
    return any(message.status == MessageStatus.LIVE for message in messages)


# --- The tree ---------------------------------------------------------------------------------------------

# By primary key from child to parent: the cost is that of the messages returned, however long the chat is.
_PATH = """
WITH RECURSIVE path(id, parent_id, depth) AS (
    SELECT id, parent_id, 1 FROM conversations_message WHERE id = %s
    UNION ALL
    SELECT above.id, above.parent_id, path.depth + 1
    FROM path JOIN conversations_message above ON above.id = path.parent_id
    WHERE path.depth < %s
)
SELECT id FROM path ORDER BY depth DESC
"""


def path_to(leaf: Message, limit: int) -> list[Message]:
    """`leaf` and up to `limit` - 1 messages above it, the oldest first, with their generations loaded."""
    return _along(leaf, limit, Message.objects.select_related("generation"))


def said_to(leaf: Message, limit: int) -> list[Message]:
    """The same, of each only what was said: many of them are read for every question."""
    return _along(leaf, limit, Message.objects.only("role", "text", "hidden_at"))


def keys_to(leaf: Message, limit: int) -> list[UUID]:
    """The keys alone, for who reads a long branch in pieces."""
    key = Message._meta.pk.get_db_prep_value(leaf.pk, connection)
    with connection.cursor() as cursor:
        cursor.execute(_PATH, [key, limit])
        return [UUID(str(row[0])) for row in cursor.fetchall()]


def _along(leaf: Message, limit: int, messages: QuerySet[Message]) -> list[Message]:
    if leaf.parent_id is None:
        return [leaf]
    keys = keys_to(leaf, limit)
    found = messages.in_bulk(keys)
    return [found[key] for key in keys if key in found]


def current_leaf(viewer: User, conversation: Conversation) -> Message | None:
    """The end of the branch this person had open last; without one, the newest end."""
    leaf = Leaf.objects.select_related("message").filter(viewer=viewer, conversation=conversation).first()
    if leaf is not None:
        return leaf.message
    ends = conversation.messages.filter(children=None)
    return ends.order_by("-created_at", "-pk").first()


# From a message down, the newest child each time, to the end of its branch.
_END = """
WITH RECURSIVE down(id, depth) AS (
    SELECT id, 0 FROM conversations_message WHERE id = %s
    UNION ALL
    SELECT (SELECT child.id FROM conversations_message child WHERE child.parent_id = down.id
            ORDER BY child.created_at DESC, child.id DESC LIMIT 1), down.depth + 1
    FROM down WHERE down.id IS NOT NULL
)
SELECT id FROM down WHERE id IS NOT NULL ORDER BY depth DESC LIMIT 1
"""


def end_of(message: Message) -> Message:
    """The end of the branch that goes through `message`, along the newest answers."""
    key = Message._meta.pk.get_db_prep_value(message.pk, connection)
    with connection.cursor() as cursor:
        cursor.execute(_END, [key])
        (end,) = cursor.fetchone()
    return Message.objects.get(pk=UUID(str(end)))


def open_branch(viewer: User, message: Message) -> None:
    """Let this person's page show the branch of a message, to its newest end."""
    set_leaf(viewer, end_of(message))


def delete_branch(message: Message) -> None:
    """Remove a message with everything below it. Who had it open sees the newest end of what is left."""
    conversation = message.conversation
    settle_ended(list(conversation.messages.filter(status=MessageStatus.LIVE)))
    with transaction.atomic():
        doomed = _below(message)
        viewers: set[User] = set()
        for start in range(len(doomed), 0, -PURGE_ROWS):  # from below: no deletion takes a branch with it
            batch = Message.objects.filter(pk__in=doomed[max(0, start - PURGE_ROWS) : start])
            if batch.filter(status=MessageStatus.LIVE).exists():
                raise Busy(_("An answer is still being written there. Stop it first."))
            viewers.update(
                leaf.viewer for leaf in Leaf.objects.filter(message__in=batch).select_related("viewer")
            )
            batch.delete()
        if message.parent is not None:
            for viewer in viewers:
                open_branch(viewer, message.parent)
        transaction.on_commit(
            lambda: signals.branch_deleted.send_robust(
                Conversation, conversation=conversation, pk=message.pk
            ),
            robust=True,
        )


_BELOW = """
WITH RECURSIVE below(id, depth) AS (
    SELECT id, 0 FROM conversations_message WHERE id = %s
    UNION ALL
    SELECT child.id, below.depth + 1 FROM below
    JOIN conversations_message child ON child.parent_id = below.id
)
SELECT id FROM below ORDER BY depth
"""


def _below(message: Message) -> list[UUID]:
    """The ids of a message and all below it, parents first."""
    key = Message._meta.pk.get_db_prep_value(message.pk, connection)
    with connection.cursor() as cursor:
        cursor.execute(_BELOW, [key])
        return [UUID(str(row[0])) for row in cursor.fetchall()]


def set_leaf(viewer: User, message: Message) -> None:
    Leaf.objects.bulk_create(
        [Leaf(viewer=viewer, conversation_id=message.conversation_id, message=message)],
        update_conflicts=True,
        unique_fields=["viewer", "conversation"],
        update_fields=["message"],
    )


def transcript(
    viewer: User,
    conversation: Conversation,
    *,
    before: Message | None = None,
    after: Message | None = None,
    around: Message | None = None,
) -> dict[str, Any]:
    """One page of the branch this person has open: its end, or what stands before, after or around a message.

    `more`: there is something above; `later`: something below. `around` opens the branch of that message.
    """
    if around is not None:
        return _around(viewer, conversation, around)
    if after is not None:
        later = _later(viewer, conversation, after) or []
        return _page(later[:PAGE], more=True, later=len(later) > PAGE)
    end = current_leaf(viewer, conversation) if before is None else before.parent
    messages = path_to(end, PAGE + 1) if end else []
    load_siblings(messages[-PAGE:])
    return {
        "messages": [message_json(m) for m in messages[-PAGE:]],
        "more": len(messages) > PAGE,
        "later": before is not None,
    }


def _around(viewer: User, conversation: Conversation, message: Message) -> dict[str, Any]:
    later = _later(viewer, conversation, message)
    if later is None:
        open_branch(viewer, message)
        later = _later(viewer, conversation, message) or []
    above = path_to(message, PAGE // 2 + 1)
    keys = [each.pk for each in above[-PAGE // 2 :]] + later[: PAGE // 2]
    return _page(keys, more=len(above) > PAGE // 2, later=len(later) > PAGE // 2)


# From the end of a branch up to a message, without it.
_LATER = """
WITH RECURSIVE path(id, parent_id, depth) AS (
    SELECT id, parent_id, 1 FROM conversations_message WHERE id = %s
    UNION ALL
    SELECT above.id, above.parent_id, path.depth + 1
    FROM path JOIN conversations_message above ON above.id = path.parent_id
    WHERE path.id <> %s
)
SELECT id FROM path ORDER BY depth DESC
"""


def _later(viewer: User, conversation: Conversation, message: Message) -> list[UUID] | None:
    """The ids below a message on the branch this person has open; None if it is not on that branch."""
    leaf = current_leaf(viewer, conversation)
    if leaf is None:
        return None
    keys = [Message._meta.pk.get_db_prep_value(pk, connection) for pk in (leaf.pk, message.pk)]
    with connection.cursor() as cursor:
        cursor.execute(_LATER, keys)
        first, *rest = [UUID(str(row[0])) for row in cursor.fetchall()]
    return rest if first == message.pk else None


def _page(keys: list[UUID], *, more: bool, later: bool) -> dict[str, Any]:
    found = Message.objects.select_related("generation").in_bulk(keys)
    messages = [found[key] for key in keys if key in found]
    load_siblings(messages)
    return {"messages": [message_json(m) for m in messages], "more": more, "later": later}


def load_siblings(messages: list[Message]) -> None:
    """Tell each of these messages, all of one conversation, what else was said in its place: one query."""
    if not messages:
        return
    roots = Q(parent=None, conversation=messages[0].conversation_id)
    parents = [message.parent_id for message in messages if message.parent_id]
    places = Q(parent__in=parents) | roots if len(parents) < len(messages) else Q(parent__in=parents)
    beside: dict[UUID | None, list[UUID]] = {}
    for pk, parent in Message.objects.filter(places).order_by("created_at", "pk").values_list("pk", "parent"):
        beside.setdefault(parent, []).append(pk)
    for message in messages:
        message.siblings = beside.get(message.parent_id, [message.pk])
    for load in MESSAGE_EXTRAS:
        load(messages)


# --- As JSON (docs/protocol.md) ---------------------------------------------------------------------------


def conversation_json(conversation: Conversation) -> dict[str, Any]:
    return {
        "id": str(conversation.pk),
        "title": conversation.title,
        "model": conversation.model_id,
        "pinned": conversation.pinned,
        "archived": conversation.archived,
        "temporary": conversation.temporary,
        "folder": str(conversation.folder_id) if conversation.folder_id else None,
        "created_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
        "url": conversation.get_absolute_url(),
    }


def _generation_json(generation: Any) -> dict[str, Any]:
    return {"id": str(generation.pk), "seq": generation.completion_tokens, "model": generation.model}


def message_json(message: Message) -> dict[str, Any]:
    """A hidden message keeps its place and loses its words. A live one has its words in the token log; `text`
    is what they continue, mostly nothing.
    """
    generation = getattr(message, "generation", None) if message.role == Role.ASSISTANT else None
    if message.siblings is None:
        load_siblings([message])
    origin = origin_of(message)
    return {
        "id": str(message.pk),
        "conversation": str(message.conversation_id),
        "parent": str(message.parent_id) if message.parent_id else None,
        "role": message.role,
        "text": "" if message.hidden_at else message.text,
        "siblings": [str(pk) for pk in message.siblings or []],
        "status": message.status,
        "created_at": message.created_at.isoformat(),
        "hidden": message.hidden_at is not None,
        "generation": _generation_json(generation) if generation else None,
        "reason": generation.reason if generation else "",
        **({"origin": origin} if origin else {}),
        **message.extras,
    }
