"""Import: what a file holds becomes conversations of the importer, each whole or not at all."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import BoundedSemaphore
from typing import IO, Any
from uuid import UUID, uuid4

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from redis.exceptions import RedisError

from chat.accounts.models import User
from chat.conversations import signals
from chat.conversations.model_cards import default_model, models_for
from chat.conversations.models import Conversation, Message, ModelCard, Role
from chat.conversations.origins import MODEL_CHARS
from chat.conversations.services import set_leaf, title_from
from chat.core import storage
from chat.core.entry_points import check_text
from chat.core.errors import RefusedByRule, TooManyRequests
from chat.core.text import one_line
from chat.files import services as files
from chat.files.models import Attachment, File
from chat.transfer import voice
from chat.transfer.drafts import Draft, Node, Unreadable, dict_of, storable, text_of
from chat.transfer.formats import format_of
from chat.transfer.models import Imported
from chat.transfer.package import Package, shown
from chat.transfer.scan import Span, parsed

SECONDS = 120.0  # of one import; the rest comes in when the file is imported again
MESSAGES_IN_ALL = 200_000  # of one import
TOLD = 50  # larger imports are not told to open pages one by one
AT_ONCE = 2  # in one web process: reading keeps a processor busy
LOCK_SECONDS = 900
TITLE_CHARS = 120  # of Conversation.title

_reading = BoundedSemaphore(AT_ONCE)


@dataclass(slots=True)
class Report:
    """What came in, what did not, and why."""

    imported: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, str]] = field(default_factory=list)  # personas, instructions, prompts
    left_out: list[dict[str, str]] = field(default_factory=list)
    messages: int = 0

    def leave_out(self, title: str, reason: str) -> None:
        self.left_out.append({"title": title, "reason": reason})

    def as_json(self) -> dict[str, Any]:
        return {
            "imported": self.imported,
            "kept": self.kept,
            "left_out": self.left_out,
            "messages": self.messages,
        }


def import_file(*, owner: User, file: IO[bytes], name: str) -> Report:
    report = Report()
    models = {card.slug: card for card in models_for(owner)}
    fallback = default_model()
    storage.check_room()
    ends = time.monotonic() + SECONDS
    with _one_at_a_time(owner), Package(file, name) as package:
        for part, why in package.left_out:
            report.leave_out(part, why)
        for number, span in enumerate(package.found, 1):
            if time.monotonic() >= ends:
                left = len(package.found) - number + 1
                report.leave_out(_("What comes after"), _time_was_up(left))
                break
            try:
                _import_one(report, owner, package, span, number, models, fallback)
            except Exception as error:
                full = storage.translated(error)
                if full is None or not report.imported:
                    raise
                report.leave_out(_("What comes after"), full.words)
                break
    return report


def _time_was_up(left: int) -> str:
    return ngettext(
        "Time was up before %(count)d conversation. Import the file again to go on.",
        "Time was up before %(count)d conversations. Import the file again to go on.",
        left,
    ) % {"count": left}


def _import_one(
    report: Report,
    owner: User,
    package: Package,
    span: Span,
    number: int,
    models: dict[str, ModelCard],
    fallback: ModelCard,
) -> None:
    title = _("Conversation %(number)d") % {"number": number}
    try:
        record = parsed(package.data, span)
        if voice.fits(record):
            title = voice.title()
            _keep_voice(report, owner, dict_of(record))
            return
        title = shown(text_of(dict_of(record).get("title"))) or title
        draft = _draft(record)
        if report.messages + len(draft.nodes) > MESSAGES_IN_ALL:
            raise Unreadable(_("There are too many messages for one import."))
        _check_rules(draft)
        made = _stored(owner, draft, models.get(draft.model, fallback), tell=len(report.imported) < TOLD)
    except Unreadable as error:
        report.leave_out(title, str(error))
        return
    except RefusedByRule as error:
        report.leave_out(title, error.words)
        return
    report.messages += len(draft.nodes)
    report.imported.append(
        {
            "id": str(made.pk),
            "title": made.title,
            "url": made.get_absolute_url(),
            "messages": len(draft.nodes),
            "source": draft.source,
            "notes": draft.notes(),
        }
    )


def _keep_voice(report: Report, owner: User, record: dict[str, object]) -> None:
    for name, reason in voice.bring_in(owner, record):
        if reason:
            report.leave_out(name, reason)
        else:
            report.kept.append({"title": name, "url": reverse("voice")})


def _draft(record: object) -> Draft:
    one = format_of(record)
    if one is None:
        raise Unreadable(_("This is no conversation of a kind that can be read here."))
    draft = one.read(dict_of(record))
    for node in draft.nodes:
        node.model = one_line(storable(node.model[:1000]))[:MODEL_CHARS]
    asked = next((node.text for node in draft.nodes if node.role == Role.USER), "")
    title = one_line(storable(draft.title[:1000]))
    draft.title = title if len(title) <= TITLE_CHARS else title[: TITLE_CHARS - 1].rstrip() + "…"
    draft.title = draft.title or title_from(asked)
    return draft


def _check_rules(draft: Draft) -> None:
    """An answer from a file must pass the rules for what the model writes, too: it stands as an answer."""
    asked, answers = [draft.title], []
    for node in draft.nodes:
        if node.role == Role.ASSISTANT:
            answers += [node.text, node.model]
        else:
            asked += [node.text, *(part for file in node.files for part in file)]
    check_text("import_question", *asked)
    check_text("import_answer", *answers)


# --- Stored -----------------------------------------------------------------------------------------------


@transaction.atomic
def _stored(owner: User, draft: Draft, model: ModelCard, *, tell: bool) -> Conversation:
    digest = digest_of(draft)
    if Imported.objects.filter(
        digest=digest, conversation__in=Conversation.objects.visible_to(owner)
    ).exists():
        raise Unreadable(_("It is here already, from an earlier import."))
    times = _times(draft)
    made = Conversation.objects.create(
        owner=owner,
        model=model,
        title=draft.title,
        created_at=draft.created_at or min(times.values()),
        updated_at=draft.updated_at or max(times.values()),
        archived=draft.archived,
    )
    keys = {node.key: uuid4() for node in draft.nodes}
    messages = [_message(made, owner, draft.source, node, keys, times[node.key]) for node in draft.nodes]
    Message.objects.bulk_create(messages, batch_size=500)
    _keep_files(owner, draft, keys)
    voice.keep_manner(owner, made, draft)
    Imported.objects.create(conversation=made, digest=digest)
    if draft.leaf:
        set_leaf(owner, next(each for each in messages if each.pk == keys[draft.leaf]))
    if tell:
        transaction.on_commit(lambda: _tell(made), robust=True)
    return made


def _keep_files(owner: User, draft: Draft, keys: dict[str, UUID]) -> None:
    """As far as the person's room goes; the rest is told in the report."""
    if not any(node.files for node in draft.nodes):
        return
    room = settings.FILES_BYTES - files.bytes_of(owner)
    kept, attached = [], []
    for node in draft.nodes:
        for place, (name, text) in enumerate(node.files):
            file = files.of_text(owner=owner, name=name, text=text)
            room -= file.size
            if room < 0:
                draft.leave_out("attachment")
                continue
            kept.append(file)
            attached.append(Attachment(message_id=keys[node.key], file=file, place=place))
    File.objects.bulk_create(kept, batch_size=20)
    Attachment.objects.bulk_create(attached, batch_size=500)


def _tell(made: Conversation) -> None:
    signals.conversation_changed.send_robust(Conversation, conversation=made, deleted=False)


def _message(
    conversation: Conversation, owner: User, source: str, node: Node, keys: dict[str, UUID], at: datetime
) -> Message:
    return Message(
        id=keys[node.key],
        conversation=conversation,
        parent_id=keys[node.parent] if node.parent else None,
        role=node.role or "",
        author=owner if node.role == Role.USER else None,
        text=node.text,
        status=node.status,
        created_at=at,
        source=source,
        source_model=node.model if node.role == Role.ASSISTANT else "",
    )


def _times(draft: Draft) -> dict[str, datetime]:
    """Of every message: its own, else that of what it answers. No answer is older than its question."""
    start = draft.created_at or timezone.now()
    times: dict[str, datetime] = {}
    for node in draft.nodes:
        above = times[node.parent] if node.parent else None
        times[node.key] = max(filter(None, (node.at, above)), default=start)
    return times


def digest_of(draft: Draft) -> str:
    """Of the words, their times and who answers whom; ids differ from one export to the next."""
    places = {node.key: place for place, node in enumerate(draft.nodes)}
    said = [
        (
            *(places.get(node.parent or ""), node.role, node.text, node.at.isoformat() if node.at else None),
            *node.files,
        )
        for node in draft.nodes
    ]
    whole = json.dumps([draft.title, said], ensure_ascii=False)
    return hashlib.sha256(whole.encode()).hexdigest()


@contextmanager
def _one_at_a_time(owner: User) -> Iterator[None]:
    """Of one person, lest a file read twice at once come in twice; and few in one process."""
    lock = f"import:{owner.pk}"
    try:
        free = cache.add(lock, 1, timeout=LOCK_SECONDS)
    except RedisError:
        free = True
    if not free:
        raise TooManyRequests(_("An import of yours is still running."), retry_after=10)
    try:
        if not _reading.acquire(blocking=False):
            raise TooManyRequests(_("Others are importing just now. Please try again soon."), retry_after=10)
        try:
            yield
        finally:
            _reading.release()
    finally:
        try:
            cache.delete(lock)
        except RedisError:
            pass  # it ends by itself
