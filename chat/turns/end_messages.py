"""The sentence that tells a reader why a reply ended without being complete; workers send codes only."""

from __future__ import annotations

from django.utils.translation import gettext as _

from chat.moderation import blocking
from inference.contract import ErrorCode, Reason


def message_for_end(reason: str, error: str) -> str:
    """Returns the sentence in the reader's language, "" for a reply that is complete or was stopped."""
    if reason == Reason.REFUSED:
        return blocking.reply_words(error)
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
        ErrorCode.QUOTA: _("Your tokens for today were used up before the answer was complete."),
        ErrorCode.SERVER_UNAVAILABLE: _("The model's server does not answer. Please try again later."),
        ErrorCode.SERVER_BUSY: _("The model's server is too busy. Please try again later."),
        ErrorCode.SERVER_BROKEN: _(
            "The model's server sent an answer that cannot be used. Please ask again."
        ),
        ErrorCode.SERVER_CUT: _("The model's server broke off. You can let it continue, or ask again."),
        ErrorCode.SERVER_REFUSED: _(
            "The model's server refused the request. Please tell your administrator."
        ),
        ErrorCode.SERVER_KEY: _("The model's server refused the key. Please tell your administrator."),
        ErrorCode.SERVER_FILTERED: _("The filter of the model's server ended this reply."),
    }
    return messages.get(error, _("The model failed on this reply. Please ask again."))
