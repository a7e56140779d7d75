"""Makes, checks and changes titles of conversations."""

from __future__ import annotations

import unicodedata

from django.db import transaction
from django.utils.translation import gettext as _

from chat.conversations.announcements import announce_after_commit
from chat.conversations.models import Conversation
from chat.core.entry_points import check_text
from chat.core.errors import BadInput
from chat.core.text import one_line

TITLE_CHARS = 60  # of a title made from the first message


def title_from(text: str) -> str:
    """Makes a title for a conversation that starts with `text`: its first line with a visible character."""
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
    """Returns whether two characters are a letter and its accent, or parts of a joined emoji."""
    return bool(unicodedata.combining(other)) or other in "\u200d\ufe0f" or one == "\u200d"


def cleaned_title(title: str) -> str:
    """Returns a title on one line. Raises BadInput if it is longer than its column."""
    limit = Conversation._meta.get_field("title").max_length or 0
    title = one_line(title)
    if len(title) > limit:
        raise BadInput(
            _("A title has at most %(limit)d characters; this one has %(length)d.")
            % {"limit": limit, "length": len(title)}
        )
    return title


def rename_conversation(*, conversation: Conversation, title: str) -> Conversation:
    """Gives a conversation the title that its owner wrote. Raises BadInput if it is empty or too long."""
    conversation.title = cleaned_title(title)
    if not conversation.title:
        raise BadInput(_("Please write a title."))
    check_text("title", conversation.title)
    with transaction.atomic():
        named = Conversation.objects.filter(pk=conversation.pk, deleted_at=None)
        if named.update(title=conversation.title):
            announce_after_commit(conversation, deleted=False)
    return conversation


def replace_title(*, conversation: Conversation, title: str, instead_of: str) -> None:
    """Replaces the title `instead_of` by one that no person wrote. Any other title stays."""
    with transaction.atomic():
        unnamed = Conversation.objects.filter(pk=conversation.pk, title=instead_of, deleted_at=None)
        if unnamed.update(title=cleaned_title(title)):
            conversation.title = title
            announce_after_commit(conversation, deleted=False)
