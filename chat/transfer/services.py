"""Imports the conversations of a file for one person, each completely or not at all."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import IO, Any

from django.core.cache import cache
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from redis.exceptions import RedisError

from chat.accounts.models import User
from chat.conversations.models import Role
from chat.conversations.origins import MODEL_CHARS
from chat.conversations.titles import title_from
from chat.core import storage
from chat.core.entry_points import check_text
from chat.core.errors import RefusedByRule, StorageFull, TooManyRequests
from chat.core.text import one_line
from chat.model_cards.access import models_for
from chat.model_cards.models import ModelCard
from chat.model_cards.selection import default_model
from chat.transfer import account, personas
from chat.transfer.formats import format_of, unread_service
from chat.transfer.imported_conversation import ImportedConversation, Unreadable, dict_of, storable, text_of
from chat.transfer.store import stored
from chat.transfer.upload import Found, Package, shown

SECONDS = 120.0  # of one import; importing the file again completes it
MESSAGES_IN_ALL = 200_000  # of one import
ANNOUNCED = 50  # conversations of one import that are announced to open pages
AT_ONCE = 2  # imports in one web process: parsing keeps a processor busy
LOCK_SECONDS = 900
TITLE_CHARS = 120  # of Conversation.title

# Pages where a person finds what was imported.
KEPT_AT = {account.NAME: "settings", personas.NAME: "personas"}

_reading = BoundedSemaphore(AT_ONCE)


@dataclass(slots=True)
class Report:
    """Lists what was imported, what was not, and why."""

    imported: list[dict[str, Any]] = field(default_factory=list)
    kept: list[dict[str, str]] = field(default_factory=list)  # personas, prompts, folders, settings
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
    fallback = default_model(owner)
    storage.check_room()
    ends = time.monotonic() + SECONDS
    with _one_at_a_time(owner), Package(file, name) as package:
        for part, why in package.left_out:
            report.leave_out(part, why)
        for number, found in enumerate(package.found, 1):
            if time.monotonic() >= ends:
                left = len(package.found) - number + 1
                report.leave_out(_("What comes after"), _time_was_up(left))
                break
            try:
                _import_one(report, owner, package, found, number, models, fallback)
            except Exception as error:
                full = error if isinstance(error, StorageFull) else storage.translated(error)
                if full is None or not report.imported:
                    raise
                report.leave_out(_("What comes after"), full.words)
                break
    return report


def _time_was_up(left: int) -> str:
    return ngettext(
        "Time was up before %(count)d conversation. Import the file again to continue.",
        "Time was up before %(count)d conversations. Import the file again to continue.",
        left,
    ) % {"count": left}


def _import_one(
    report: Report,
    owner: User,
    package: Package,
    found: Found,
    number: int,
    models: dict[str, ModelCard],
    fallback: ModelCard,
) -> None:
    title = _("Conversation %(number)d") % {"number": number}
    try:
        record = package.parsed(found)
        for kind in (account, personas):
            if kind.fits(record):
                title = kind.title()
                _keep(report, kind.bring_in(owner, dict_of(record)), KEPT_AT[kind.NAME])
                return
        title = shown(text_of(dict_of(record).get("title"))) or title
        draft = _draft(record)
        if report.messages + len(draft.nodes) > MESSAGES_IN_ALL:
            raise Unreadable(_("There are too many messages for one import."))
        _check_rules(draft)
        made = stored(
            owner, package, draft, models.get(draft.model, fallback), tell=len(report.imported) < ANNOUNCED
        )
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


def _keep(report: Report, outcomes: list[tuple[str, str]], page: str) -> None:
    for name, reason in outcomes:
        if reason:
            report.leave_out(name, reason)
        else:
            report.kept.append({"title": name, "url": reverse(page)})


def _draft(record: object) -> ImportedConversation:
    one = format_of(record)
    if one is None:
        raise Unreadable(_why_unread(record))
    try:
        draft = one.read(dict_of(record))
    except Unreadable as error:
        raise Unreadable(f"{one.label}: {error}") from None
    for node in draft.nodes:
        node.model = one_line(storable(node.model[:1000]))[:MODEL_CHARS]
    asked = next((node.words for node in draft.nodes if node.role == Role.USER), "")
    title = one_line(storable(draft.title[:1000]))
    draft.title = title if len(title) <= TITLE_CHARS else title[: TITLE_CHARS - 1].rstrip() + "…"
    draft.title = draft.title or title_from(asked)
    return draft


def _why_unread(record: object) -> str:
    if service := unread_service(record):
        words = _("This comes from %(service)s and holds no conversation that can be read here.")
        return words % {"service": service}
    return _("This kind of conversation cannot be read here.")


def _check_rules(draft: ImportedConversation) -> None:
    """Checks imported answers against the rules for replies too: they are shown as answers."""
    asked, answers = [draft.title], []
    for node in draft.nodes:
        if node.role == Role.ASSISTANT:
            answers += [node.text, node.model]
            answers += [part for call in node.calls for part in (call.name, call.arguments, call.result)]
        else:
            asked += [node.text, *(part for file in node.files for part in (file.name, file.text))]
    check_text("import_question", *asked)
    check_text("import_answer", *answers)


@contextmanager
def _one_at_a_time(owner: User) -> Iterator[None]:
    """Allows one import per person, so that a file read twice is stored once, and few per process."""
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
        with contextlib.suppress(RedisError):  # it ends by itself
            cache.delete(lock)
