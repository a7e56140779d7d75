"""Stores what a file says of one conversation: in one transaction, with its files, or nothing of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations import signals
from chat.conversations.branches import set_leaf
from chat.conversations.models import Conversation, Message, Role
from chat.conversations.origins import SOURCE_CHARS
from chat.feedback import services as feedback
from chat.model_cards.models import ModelCard
from chat.transfer import account, calls, personas
from chat.transfer.attached_files import Carrier
from chat.transfer.imported_conversation import ImportedConversation, ImportedMessage, Unreadable
from chat.transfer.models import Imported
from chat.transfer.pins import limit_pins
from chat.transfer.upload import Package


def stored(
    owner: User, package: Package, draft: ImportedConversation, model: ModelCard, *, tell: bool
) -> Conversation:
    """Stores the conversation and returns it; raises Unreadable if it exists already. `tell` announces it to
    open pages.
    """
    digest = digest_of(draft)
    mine = Conversation.objects.visible_to(owner)
    if Imported.objects.filter(digest=digest, conversation__in=mine).exists():
        raise Unreadable(_("It is here already, from an earlier import."))
    carrier = Carrier(owner, package)
    try:
        carrier.copy(draft)
        return _stored(owner, carrier, draft, digest, model, tell=tell)
    except BaseException:
        carrier.undo()
        raise


@transaction.atomic
def _stored(
    owner: User, carrier: Carrier, draft: ImportedConversation, digest: str, model: ModelCard, *, tell: bool
) -> Conversation:
    times = _times(draft)
    made = Conversation.objects.create(
        owner=owner,
        model=model,
        title=draft.title,
        created_at=draft.created_at or min(times.values()),
        updated_at=draft.updated_at or max(times.values()),
        archived=draft.archived,
    )
    limit_pins(draft, model)
    keys = {node.key: uuid4() for node in draft.nodes}
    messages = [_message(made, owner, draft.source, node, keys, times[node.key]) for node in draft.nodes]
    Message.objects.bulk_create(messages, batch_size=500)
    calls.store(
        [(made, call) for made, node in zip(messages, draft.nodes, strict=True) for call in node.calls]
    )
    carrier.store(draft, keys)
    account.keep_place(owner, made, draft)
    personas.import_settings(owner, made, draft)
    given = [(each, node.feedback) for each, node in zip(messages, draft.nodes, strict=True) if node.feedback]
    draft.leave_out("feedback", feedback.import_feedback(user=owner, entries=given))
    Imported.objects.create(conversation=made, digest=digest)
    if draft.leaf:
        set_leaf(owner, next(each for each in messages if each.pk == keys[draft.leaf]))
    if tell:
        transaction.on_commit(lambda: _tell(made), robust=True)
    return made


def _tell(made: Conversation) -> None:
    signals.conversation_changed.send_robust(Conversation, conversation=made, deleted=False)


def _message(
    conversation: Conversation,
    owner: User,
    source: str,
    node: ImportedMessage,
    keys: dict[str, UUID],
    at: datetime,
) -> Message:
    return Message(
        id=keys[node.key],
        conversation=conversation,
        parent_id=keys[node.parent] if node.parent else None,
        role=node.role or "",
        author=owner if node.role == Role.USER else None,
        text=node.words,
        status=node.status,
        created_at=at,
        pinned=node.pinned,
        source=(node.source or source)[:SOURCE_CHARS],
        source_model=node.model if node.role == Role.ASSISTANT else "",
    )


AFTER = timedelta(microseconds=1)


def _times(draft: ImportedConversation) -> dict[str, datetime]:
    """Returns each message's time: its own, or a microsecond after its parent's where the file has none.

    No answer is older than its question. Many services count in seconds: those of one time and place are
    parted by a microsecond each, in the order of the file: times decide in which order they are shown.
    """
    start = draft.created_at or timezone.now()
    times: dict[str, datetime] = {}
    beside: Counter[tuple[str | None, datetime]] = Counter()
    for node in draft.nodes:
        above = times[node.parent] if node.parent else node.at or start - AFTER
        at = max(node.at, above) if node.at else above + AFTER
        times[node.key] = at + timedelta(microseconds=beside[node.parent, at])
        beside[node.parent, at] += 1
    return times


def digest_of(draft: ImportedConversation) -> str:
    """Returns a digest of words, times and tree; ids differ from one export to the next."""
    places = {node.key: place for place, node in enumerate(draft.nodes)}
    said = [
        (
            *(places.get(node.parent or ""), node.role, node.text, node.at.isoformat() if node.at else None),
            *((file.name, file.text) for file in node.files),
        )
        for node in draft.nodes
    ]
    whole = json.dumps([draft.title, said], ensure_ascii=False)
    return hashlib.sha256(whole.encode()).hexdigest()
