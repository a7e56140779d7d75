"""Describes a conversation as it is in a file, before any of it is stored.

All formats (formats/) build one of these: loose messages become a consistent tree, or a reason for refusal.
Ids in files only link messages to the ones they answer; stored rows get ids of their own.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from chat.core.text import grouped, is_blank

MESSAGES = 20_000  # of one conversation
MESSAGE_CHARS = 1_000_000
OLDEST = datetime(2000, 1, 1, tzinfo=UTC)  # earlier times are invalid


class Unreadable(Exception):
    """Raised for a conversation that is not imported; the message tells the importer why."""


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A file of a message: its text as the model read it, and the digest of its bytes if known. An image has
    no text.
    """

    name: str
    text: str
    key: str  # the same for messages that carry the same file
    sha256: str = ""
    report: object = None  # how it was read, as the file has it; chat/files/reports.py reads it
    is_image: bool = False


@dataclass(frozen=True, slots=True)
class ImportedCallData:
    """A call of a tool that an answer has, ended (chat/transfer/calls.py)."""

    step: int
    name: str
    arguments: str
    status: str
    error: str
    result: str


@dataclass(slots=True)
class ImportedMessage:
    """A message as the file has it. Without a role it is left out, and its answers move up to its parent."""

    key: str
    parent: str | None
    role: str | None = None
    text: str = ""
    at: datetime | None = None
    status: str = "complete"
    files: list[ImportedFile] = field(default_factory=list)
    model: str = ""  # the model that wrote it, as the file says
    source: str = ""  # the service that wrote it; empty: that of the conversation
    stands_for: str = ""  # a key of STAND_INS, if it had only a picture or a file, which is not imported
    order: int = 0  # among its siblings, if the file says so
    calls: list[ImportedCallData] = field(default_factory=list)
    pinned: bool = False
    feedback: object = None  # the importer's rating, unparsed; chat/feedback reads it

    def say(self, role: str, text: str, stands_for: str = "") -> None:
        """Adds a paragraph, or a placeholder for what is missing; a message with neither is left out."""
        if not is_blank(text):
            self.role, self.text = role, text
        elif stands_for:
            self.role, self.stands_for = role, stands_for

    @property
    def words(self) -> str:
        """Returns the text in the importer's language. An answer keeps its question even if that was only a
        picture.
        """
        return self.text or (str(STAND_INS[self.stands_for]) if self.stands_for else "")


STAND_INS = {"picture": gettext_lazy("[picture]"), "file": gettext_lazy("[file]")}


@dataclass(slots=True)
class ImportedConversation:
    """A conversation and its messages: parents come before their answers, and every parent exists."""

    source: str
    title: str = ""
    model: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    leaf: str | None = None
    archived: bool = False
    pinned: bool = False
    folder: object = None  # its name, unparsed; transfer/account.py reads it
    persona: object = None  # both unparsed; transfer/personas.py reads them
    settings: object = None
    nodes: list[ImportedMessage] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)  # kind of content left out -> count
    said: list[str] = field(default_factory=list)  # sentences for its notes

    def leave_out(self, what: str, times: int = 1) -> None:
        self.left_out[what] += times

    def notes(self) -> list[str]:
        limits = {"file_mb": settings.FILE_BYTES >> 20, "files_mb": settings.FILES_BYTES >> 20}
        counted = [
            NOTES[what](count) % {"count": count, **limits} for what, count in self.left_out.items() if count
        ]
        return counted + self.said


NOTES = {
    "system": lambda n: ngettext(
        "%(count)d instruction to the model was left out.",
        "%(count)d instructions to the model were left out.",
        n,
    ),
    "tool": lambda n: ngettext(
        "%(count)d step of a tool was left out.", "%(count)d steps of tools were left out.", n
    ),
    "thought": lambda n: ngettext(
        "%(count)d thought of the model was left out.", "%(count)d thoughts of the model were left out.", n
    ),
    "discarded": lambda n: ngettext(
        "%(count)d discarded draft was left out.", "%(count)d discarded drafts were left out.", n
    ),
    "attachment": lambda n: ngettext(
        "%(count)d picture or file was left out.", "%(count)d pictures or files were left out.", n
    ),
    "too_large": lambda n: ngettext(
        "%(count)d file was left out: a file may have at most %(file_mb)d MB here.",
        "%(count)d files were left out: a file may have at most %(file_mb)d MB here.",
        n,
    ),
    "no_room": lambda n: ngettext(
        "%(count)d file was left out: your files may take %(files_mb)d MB together.",
        "%(count)d files were left out: your files may take %(files_mb)d MB together.",
        n,
    ),
    "text_only": lambda n: ngettext(
        "Only the text of %(count)d file was imported: its bytes are missing or changed.",
        "Only the text of %(count)d files was imported: their bytes are missing or changed.",
        n,
    ),
    "no_image": lambda n: ngettext(
        "%(count)d image was not in the file, or was changed: only its name was imported. "
        "“Export everything” makes a zip with the images.",
        "%(count)d images were not in the file, or were changed: only their names were imported. "
        "“Export everything” makes a zip with the images.",
        n,
    ),
    "feedback": lambda n: ngettext(
        "Feedback on %(count)d answer could not be read and was left out.",
        "Feedback on %(count)d answers could not be read and was left out.",
        n,
    ),
    "pin": lambda n: ngettext(
        "%(count)d message is no longer pinned: too many were.",
        "%(count)d messages are no longer pinned: too many were.",
        n,
    ),
    "hidden": lambda n: ngettext(
        "%(count)d hidden message was left out.", "%(count)d hidden messages were left out.", n
    ),
    "orphan": lambda n: ngettext(
        "%(count)d message starts a new branch: the message above it is not in the file.",
        "%(count)d messages start new branches: the messages above them are not in the file.",
        n,
    ),
    "odd": lambda n: ngettext(
        "%(count)d message could not be read and was left out.",
        "%(count)d messages could not be read and were left out.",
        n,
    ),
    "character": lambda n: ngettext(
        "%(count)d message had characters that cannot be stored; they were replaced.",
        "%(count)d messages had characters that cannot be stored; they were replaced.",
        n,
    ),
}


def finished(draft: ImportedConversation, *, joined: bool = False) -> ImportedConversation:
    """Returns it with a sound tree. `joined`: an answer in several parts becomes one."""
    if len(draft.nodes) > MESSAGES:
        raise Unreadable(_("It has more than %(limit)s messages.") % {"limit": grouped(MESSAGES)})
    _check_texts(draft)
    draft.nodes = _hoisted(draft, _in_order(draft))
    if joined:
        draft.nodes = _joined(draft)
    if not draft.nodes:
        raise Unreadable(_("It has no messages that can be shown here."))
    return draft


def _check_texts(draft: ImportedConversation) -> None:
    for node in draft.nodes:
        if len(node.text) > MESSAGE_CHARS:
            raise Unreadable(
                _("One of its messages has more than %(limit)s characters.")
                % {"limit": grouped(MESSAGE_CHARS)}
            )
        sound = storable(node.text)
        if node.role and sound != node.text:
            node.text = sound
            draft.leave_out("character")


def storable(text: str) -> str:
    """Replaces lone surrogates, which are no characters, and U+0000, which PostgreSQL cannot store."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\x00", "\ufffd")


def _in_order(draft: ImportedConversation) -> list[ImportedMessage]:
    """Returns messages from the roots down; raises Unreadable where they go round in a circle."""
    known = {node.key for node in draft.nodes}
    if len(known) < len(draft.nodes):
        raise Unreadable(_("Two of its messages have the same id."))
    below: dict[str | None, list[ImportedMessage]] = {}
    for node in draft.nodes:
        if node.parent is not None and node.parent not in known:
            node.parent = None
            if node.role:
                draft.leave_out("orphan")
        below.setdefault(node.parent, []).append(node)
    for beside in below.values():
        beside.sort(key=lambda node: node.order)
    ordered: list[ImportedMessage] = []
    waiting = deque(below.get(None, []))
    while waiting:
        node = waiting.popleft()
        ordered.append(node)
        waiting.extend(below.get(node.key, ()))
    if len(ordered) < len(draft.nodes):
        raise Unreadable(_("Its messages answer each other in a circle."))
    return ordered


def _hoisted(draft: ImportedConversation, ordered: list[ImportedMessage]) -> list[ImportedMessage]:
    """Drops the messages that are left out; their answers move up to what is there."""
    stands_for: dict[str | None, str | None] = {None: None}
    remaining = []
    for node in ordered:
        node.parent = stands_for[node.parent]
        stands_for[node.key] = node.key if node.role else node.parent
        if node.role:
            remaining.append(node)
    draft.leaf = stands_for.get(draft.leaf)
    return remaining


def _joined(draft: ImportedConversation) -> list[ImportedMessage]:
    children = Counter(node.parent for node in draft.nodes)
    stands_for: dict[str | None, ImportedMessage] = {}
    remaining = []
    for node in draft.nodes:
        above = stands_for.get(node.parent)
        if above and above.role == node.role and children[node.parent] == 1:
            above.text = "\n\n".join(filter(None, (above.text, node.text)))
            above.model = above.model or node.model
            above.calls += node.calls
            stands_for[node.key] = above
            continue
        node.parent = above.key if above else None
        stands_for[node.key] = node
        remaining.append(node)
    if draft.leaf:
        draft.leaf = stands_for[draft.leaf].key
    return remaining


def in_order_of(nodes: Iterable[ImportedMessage], children: Iterable[object]) -> None:
    """Notes the order in which the file lists what was said in one place, for nodes of the same time."""
    places = {
        key: place for each in children for place, key in enumerate(list_of(each)) if isinstance(key, str)
    }
    for node in nodes:
        node.order = places.get(node.key, 0)


def in_a_row(nodes: Sequence[ImportedMessage]) -> None:
    """Lets each message answer the one before: for files that keep no tree."""
    for above, node in pairwise(nodes):
        node.parent = above.key


# --- Values of any type that a file may hold --------------------------------------------------------------


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def dict_of(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def time_of(value: object) -> datetime | None:
    """Reads seconds (or finer) since 1970, or ISO 8601; None for what no clock says."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value[:40])
            found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found = datetime.fromtimestamp(_in_seconds(float(value)), UTC)
        else:
            return None
    except (ValueError, OverflowError, OSError):
        return None
    return found if OLDEST <= found <= timezone.now() + timedelta(minutes=5) else None


def _in_seconds(number: float) -> float:
    """Converts to seconds: some services write milliseconds, microseconds or nanoseconds, which no plausible
    year in seconds equals.
    """
    while 1e11 < number < 1e20:
        number /= 1000
    return number
