"""Defines one family of errors: raised early with the numbers in the words, caught once in middleware.

The edges are chat/core/middleware.py (HTTP) and chat/turns/consumers.py (websocket).
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chat.core.text import grouped


class ChatError(Exception):
    """An error that a person can understand and act on. `code` is for programs, `words` for people."""

    code = "error"
    http_status = 400

    def __init__(self, words: str = "", **extra: Any) -> None:
        self.words = words or str(_("Something went wrong. Please try again."))
        self.extra = extra  # more numbers for programs, such as retry_after (seconds)
        super().__init__(self.words)

    def as_json(self) -> dict[str, Any]:
        return {"code": self.code, "words": self.words, **self.extra}


class NotFound(ChatError):
    """The object is absent or forbidden: the answer is the same."""

    code, http_status = "not_found", 404

    def __init__(self) -> None:
        super().__init__(_("That does not exist, or it is not yours."))


class BadInput(ChatError):
    code, http_status = "bad_input", 400


class NotLoggedIn(ChatError):
    code, http_status = "not_logged_in", 401

    def __init__(self) -> None:
        super().__init__(_("Please log in."))


class BadMethod(ChatError):
    code, http_status = "bad_method", 405

    def __init__(self) -> None:
        super().__init__(_("This address does not answer that kind of request."))


class NotAllowed(ChatError):
    code, http_status = "not_allowed", 403


class Suspended(ChatError):
    code, http_status = "suspended", 403


class Busy(ChatError):
    """The conversation's last reply is still being written."""

    code, http_status = "busy", 409


class TooLong(ChatError):
    code, http_status = "too_long", 413

    def __init__(self, *, length: int, limit: int, with_files: bool = False) -> None:
        words = (
            _(
                "Your message and its files have %(length)s characters; this model reads at most about "
                "%(limit)s. Remove a file or shorten the message."
            )
            if with_files
            else _("Your message has %(length)s characters; this model reads at most about %(limit)s.")
        )
        super().__init__(
            words % {"length": grouped(length), "limit": grouped(limit)},
            length=length,
            limit=limit,
        )


class MessageTooLong(ChatError):
    """The message is too long for any model here."""

    code, http_status = "too_long", 413

    def __init__(self, *, length: int, limit: int) -> None:
        words = _("Your message has %(length)s characters; a message may have at most %(limit)s.")
        super().__init__(
            words % {"length": grouped(length), "limit": grouped(limit)}, length=length, limit=limit
        )


class QuotaExceeded(ChatError):
    code, http_status = "quota_exceeded", 429

    def __init__(self, *, used: int, limit: int, retry_after: int) -> None:
        super().__init__(
            _(
                "You have used %(used)s of your %(limit)s tokens today. "
                "The count starts again at midnight UTC."
            )
            % {"used": grouped(used), "limit": grouped(limit)},
            used=used,
            limit=limit,
            retry_after=retry_after,
        )


class QueueFull(ChatError):
    code, http_status = "queue_full", 429

    def __init__(self, *, waiting: int, retry_after: int) -> None:
        super().__init__(
            ngettext(
                "%(waiting)d reply is waiting already. Please try again in %(seconds)d seconds.",
                "%(waiting)d replies are waiting already. Please try again in %(seconds)d seconds.",
                waiting,
            )
            % {"waiting": waiting, "seconds": retry_after},
            retry_after=retry_after,
        )


class RefusedByRule(ChatError):
    code, http_status = "refused", 422


class ServiceDown(ChatError):
    """Redis is away for a moment: pages that need it say so instead of breaking."""

    code, http_status = "unavailable", 503

    def __init__(self) -> None:
        super().__init__(
            _("A part of this site does not answer right now. Please try again in a moment."), retry_after=5
        )


class MailUnavailable(ChatError):
    """The mail server does not answer, so what needs a mail is not begun (chat/accounts/mailing.py)."""

    code, http_status = "mail_unavailable", 503

    def __init__(self) -> None:
        super().__init__(
            _(
                "No e-mail can be sent from here at the moment, so nothing was changed. "
                "Please try again in a few minutes."
            ),
            retry_after=120,
        )


class StorageFull(ChatError):
    """A disk is full, read-only, or has only left what answers under way need (chat/core/storage.py)."""

    code, http_status = "storage_full", 507

    def __init__(self) -> None:
        super().__init__(
            _(
                "The server has no room to store anything at the moment. Nothing was saved; please try again "
                "later. Its administrator can see why."
            ),
            retry_after=30,
        )


class TooManyRequests(ChatError):
    code, http_status = "too_many", 429
