"""The sentence that tells a reader why a reply ended without being complete; workers send codes only."""

from __future__ import annotations

from django.utils.translation import gettext as _

from chat.moderation import services as moderation
from inference.contract import ErrorCode, Reason


def message_for_end(reason: str, error: str) -> str:
    """Returns the sentence in the reader's language, "" for a reply that is complete or was stopped."""
    if reason == Reason.REFUSED:
        return moderation.reply_words(error)
    if reason != Reason.FAILED:
        return ""
    messages: dict[str, str] = {
        ErrorCode.TOO_LONG: _("Your message is too long for this model. Please shorten it."),
        ErrorCode.POISON: _(
            "The model's process died twice while it worked on this reply, so it was given up."
        ),
        ErrorCode.NO_WORKER: _(
            "The model is not running. Please tell your administrator, or try again later."
        ),
        ErrorCode.NAN: _("The model computed something that is not a number. Please ask again."),
        ErrorCode.OUT_OF_MEMORY: _("The model ran out of memory. A shorter conversation may work."),
    }
    return messages.get(error, _("The model failed on this reply. Please ask again."))
