"""What a file says of one conversation, before anything of it is stored.

Every format (formats/) ends here: loose nodes become one sound tree, or a reason why not. Ids in files only
say who answers whom; what is stored gets ids of its own.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chat.core.text import grouped

MESSAGES = 20_000  # of one conversation
MESSAGE_CHARS = 1_000_000
OLDEST = datetime(2000, 1, 1, tzinfo=UTC)  # a time before it is nobody's


class Unreadable(Exception):
    """This conversation stays out; the words say why."""


@dataclass(slots=True)
class Node:
    """One message as the file has it. Without a role it is left out, and its answers move up."""

    key: str
    parent: str | None
    role: str | None = None
    text: str = ""
    at: datetime | None = None
    status: str = "complete"
    files: list[tuple[str, str]] = field(default_factory=list)  # name, text
    model: str = ""  # that wrote it, as the file has it


@dataclass(slots=True)
class Draft:
    """Parents come before their answers, and every parent is there."""

    source: str
    title: str = ""
    model: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    leaf: str | None = None
    archived: bool = False
    persona: object = None  # as the file has them; transfer/voice.py reads them
    settings: object = None
    nodes: list[Node] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)  # what stayed out of it -> how many times
    said: list[str] = field(default_factory=list)  # for its notes, in words

    def leave_out(self, what: str, times: int = 1) -> None:
        self.left_out[what] += times

    def notes(self) -> list[str]:
        counted = [NOTES[what](count) % {"count": count} for what, count in self.left_out.items() if count]
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
    "attachment": lambda n: ngettext(
        "%(count)d picture or file was left out.", "%(count)d pictures or files were left out.", n
    ),
    "hidden": lambda n: ngettext(
        "%(count)d hidden message was left out.", "%(count)d hidden messages were left out.", n
    ),
    "orphan": lambda n: ngettext(
        "%(count)d message begins anew: what it answered is not in the file.",
        "%(count)d messages begin anew: what they answered is not in the file.",
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


def finished(draft: Draft, *, joined: bool = False) -> Draft:
    """The draft with a sound tree. `joined`: an answer in several parts, with a tool between, becomes one."""
    if len(draft.nodes) > MESSAGES:
        raise Unreadable(_("It has more than %(limit)s messages.") % {"limit": grouped(MESSAGES)})
    _check_texts(draft)
    draft.nodes = _hoisted(draft, _in_order(draft))
    if joined:
        draft.nodes = _joined(draft)
    if not draft.nodes:
        raise Unreadable(_("It has no messages that can be shown here."))
    return draft


def _check_texts(draft: Draft) -> None:
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
    """Lone surrogates are no characters, and PostgreSQL cannot store U+0000."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").replace("\x00", "\ufffd")


def _in_order(draft: Draft) -> list[Node]:
    """From the roots down. What no root leads to goes round in a circle."""
    known = {node.key for node in draft.nodes}
    if len(known) < len(draft.nodes):
        raise Unreadable(_("Two of its messages have the same id."))
    below: dict[str | None, list[Node]] = {}
    for node in draft.nodes:
        if node.parent is not None and node.parent not in known:
            node.parent = None
            if node.role:
                draft.leave_out("orphan")
        below.setdefault(node.parent, []).append(node)
    ordered: list[Node] = []
    waiting = deque(below.get(None, []))
    while waiting:
        node = waiting.popleft()
        ordered.append(node)
        waiting.extend(below.get(node.key, ()))
    if len(ordered) < len(draft.nodes):
        raise Unreadable(_("Its messages answer each other in a circle."))
    return ordered


def _hoisted(draft: Draft, ordered: list[Node]) -> list[Node]:
    """Without the nodes that are left out; their answers move up to what is there."""
    stands_for: dict[str | None, str | None] = {None: None}
    kept = []
    for node in ordered:
        node.parent = stands_for[node.parent]
        stands_for[node.key] = node.key if node.role else node.parent
        if node.role:
            kept.append(node)
    draft.leaf = stands_for.get(draft.leaf)
    return kept


def _joined(draft: Draft) -> list[Node]:
    children = Counter(node.parent for node in draft.nodes)
    stands_for: dict[str | None, Node] = {}
    kept = []
    for node in draft.nodes:
        above = stands_for.get(node.parent)
        if above and above.role == node.role and children[node.parent] == 1:
            above.text = f"{above.text}\n\n{node.text}"
            stands_for[node.key] = above
            continue
        node.parent = above.key if above else None
        stands_for[node.key] = node
        kept.append(node)
    if draft.leaf:
        draft.leaf = stands_for[draft.leaf].key
    return kept


# --- Values of any type that a file may hold --------------------------------------------------------------


def text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def dict_of(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def time_of(value: object) -> datetime | None:
    """Seconds (or finer) since 1970, or ISO 8601; None for what no clock says."""
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
    """Some write milliseconds, microseconds or nanoseconds: none of them is a year that people live in."""
    while 1e11 < number < 1e20:
        number /= 1000
    return number
