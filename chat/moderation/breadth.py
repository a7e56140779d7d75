"""Tries a rule on the newest messages before it is saved, and refuses one that matches most of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from django.db.models.functions import Left
from django.utils.translation import gettext as _

from chat.conversations.models import Message, Role
from chat.core.errors import BadInput
from chat.core.text import grouped
from chat.moderation.rule_kinds import PROMPT, REPLY, rule_matches

BREADTH = 1000  # newest messages that a new rule is tried on
BREADTH_CHARS = 20_000  # of each
BREADTH_SECONDS = 5.0  # seconds; then the proportion is that of the messages tried so far
FEWEST = 5  # messages; fewer give no proportion


def check_breadth(kind: str, options: Mapping[str, Any], applies: str) -> None:
    """Raises BadInput, with the proportion, if this rule would have refused most of the newest messages."""
    for role, which in ((Role.USER, PROMPT), (Role.ASSISTANT, REPLY)):
        if applies not in which:
            continue
        hits, tried = _tried(kind, options, role)
        if tried >= FEWEST and hits * 2 > tried:
            words = _(
                "This rule matches %(hits)s of the last %(number)s messages (%(percent)s %%), so it would "
                "refuse most of what is written. Please make it more exact. It was not saved."
            )
            percent = grouped(round(100 * hits / tried))
            raise BadInput(words % {"hits": grouped(hits), "number": grouped(tried), "percent": percent})


def _tried(kind: str, options: Mapping[str, Any], role: str) -> tuple[int, int]:
    """Counts the newest messages that the rule refuses; only the beginning of long ones is read."""
    # Imported text is not typical of what people write here.
    written_here = Message.objects.filter(role=role, source="")
    newest = written_here.exclude(text="").order_by("-created_at")
    beginnings = newest.annotate(beginning=Left("text", BREADTH_CHARS)).values_list("beginning", flat=True)
    ends = time.monotonic() + BREADTH_SECONDS
    hits, tried = 0, 0
    for text in beginnings[:BREADTH].iterator(chunk_size=100):
        hits += rule_matches(kind, options, text)
        tried += 1
        if time.monotonic() > ends:
            break
    return hits, tried
