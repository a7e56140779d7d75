"""Stores titles that a model worker made (inference/worker/titles.py) in place of first words."""

from __future__ import annotations

import logging
import re
import unicodedata
from contextlib import suppress
from uuid import UUID

from chat.conversations.models import Message
from chat.conversations.titles import TITLE_CHARS, replace_title, title_from
from chat.core.entry_points import check_text
from chat.core.errors import RefusedByRule
from chat.core.text import one_line
from chat.turns import reply_state
from chat.turns.models import Generation

logger = logging.getLogger("grokweb.titles")

LABEL = re.compile(r"^(?:title|titre)\s*:", re.IGNORECASE)
MARKS = re.compile(r"\*\*|__|`")  # markdown inside a line
BULLETS = "#>-*•– "
AROUND = " \"'“”‘’«»„‹›*_–—:;,."
LEAST_VARIETY = 0.6  # different words of all: a model that repeats itself has no title


def is_wanted(answer: Message) -> bool:
    """Returns whether the conversation stays and still has the title that its first question gave it."""
    asked = answer.parent
    if asked is None or asked.parent_id is not None or answer.conversation.temporary:
        return False
    return answer.conversation.title == title_from(asked.text)


def store_title(generation_id: UUID) -> None:
    """Stores the title that a model made. A person who renamed or deleted meanwhile wins."""
    words = reply_state.fetch_title(generation_id)
    related = ("message__conversation", "message__parent")
    made = Generation.objects.select_related(*related).filter(pk=generation_id).first()
    if not words or made is None or not is_wanted(made.message):
        return
    answer, asked, conversation = made.message, made.message.parent, made.message.conversation
    assert asked is not None
    if answer.hidden_at or asked.hidden_at:
        return
    title = title_of(words, f"{asked.text}\n{answer.text}")
    if not title:
        return
    with suppress(RefusedByRule):
        check_text("model_title", title)
        replace_title(conversation=conversation, title=title, instead_of=conversation.title)
        logger.info("title stored", extra={"generation": str(generation_id), "model": made.model})


def title_of(words: str, exchange: str) -> str:
    """Returns the title in a model's words; "" if it is too long, in other letters, or repetitive."""
    title = MARKS.sub("", one_line(words)).lstrip(BULLETS).strip(AROUND)
    title = LABEL.sub("", title, count=1).strip(AROUND)
    parts = title.casefold().split()
    if not 0 < len(title) <= TITLE_CHARS or set("<>{}") & set(title):
        return ""
    if (
        len(set(parts)) < LEAST_VARIETY * len(parts)
        or not scripts(title)
        or scripts(title) - scripts(exchange)
    ):
        return ""
    return title


def scripts(text: str) -> set[str]:
    """Returns the scripts of a text's letters: LATIN, CYRILLIC, CJK, …"""
    return {unicodedata.name(letter, "").partition(" ")[0] for letter in set(text) if letter.isalpha()}
