"""Names the origin of answers that the model here did not write: imported or edited, or begun with such text.

Every view of an answer shows its origin (page, shared page, print, exports, reports): anybody can write a
file, and its text must not pass for an answer of this site's model.
"""

from __future__ import annotations

from typing import TypedDict

from django.utils.translation import gettext as _

from chat.conversations.models import Message, Role

SOURCE_CHARS, MODEL_CHARS = 40, 80  # of Message.source and Message.source_model
A_FILE = "file"  # a source that is not known more exactly: imported before sources were stored
EDITED = "edited"  # a source: the text is a person's version of another answer to the same question


class Origin(TypedDict):
    """Holds where the text of an answer comes from."""

    source: str  # the service that wrote the file, A_FILE or EDITED
    model: str  # the model that the file names, which nobody can check; may be empty
    continued: bool  # the model here wrote the rest


def origin_of(message: Message) -> Origin | None:
    """Returns the origin of an answer; None for one that was written here and for messages of people."""
    if not message.source or message.role != Role.ASSISTANT:
        return None
    continued = len(message.steps.all()) > 0  # callers that ask for many messages prefetch them
    return {"source": message.source, "model": message.source_model, "continued": continued}


def origin_words(origin: Origin | None) -> str:
    """Describes an origin to readers; empty for an answer of the model here. Must agree with
    static/js/view/message_status.js."""
    if origin is None:
        return ""
    if origin["source"] == EDITED:
        return _edited_words(is_continued=origin["continued"])
    source = _("a file") if origin["source"] == A_FILE else origin["source"]
    if origin["continued"]:
        words = _("Begins with words imported from %(source)s")
    else:
        words = _("Imported from %(source)s")
    words = words % {"source": source}
    if not origin["model"]:
        return words
    return _("%(words)s, which names the model %(model)s") % {"words": words, "model": origin["model"]}


def source_words(source: str) -> str:
    """Names a source to staff; empty for an answer of the model here."""
    if source == EDITED:
        return _edited_words(is_continued=False)
    return _("a file") if source == A_FILE else source


def _edited_words(*, is_continued: bool) -> str:
    if is_continued:
        return _("Begins with words edited by the person who asked")
    return _("Edited by the person who asked")
