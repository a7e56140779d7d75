"""Reports a shared page, or one message of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.origins import Origin, origin_words
from chat.core.errors import BadInput
from chat.moderation.models import Report
from chat.moderation.reporting import report_share
from chat.sharing.models import Share, SharePage
from chat.sharing.reading import hidden_since, origins_in

REPORTED_CHARS = 20_000  # of the page's text kept with a report


def report(
    *, share: Share, reporter: User | None, reason: str, note: str = "", message_id: str = "", page: int = 1
) -> Report:
    """Reports one page, or one message of any page. The text is kept as the reader saw it."""
    shown = _reported(share, message_id, page)
    origins = origins_in(share, shown)
    text = "\n\n".join(_as_text(each, origins.get(each["id"])) for each in shown)
    single = origins.get(message_id)
    return report_share(
        reporter=reporter,
        share_id=share.pk,
        message_id=UUID(message_id) if message_id else None,
        text=text[:REPORTED_CHARS],
        author=share.owner,
        reason=reason,
        note=note,
        source=single["source"] if single else "",
    )


def _as_text(copied: dict[str, Any], origin: Origin | None) -> str:
    imported = f" [{origin_words(origin)}]" if origin else ""
    thoughts = f"[thoughts] {copied['thoughts']}\n\n" if copied.get("thoughts") else ""
    return f"{copied['role']}{imported}: {thoughts}{copied['text']}"


def _reported(share: Share, message_id: str, number: int) -> list[dict[str, Any]]:
    """Returns the reported messages: all of the page, or the one named (its first part, if it is long)."""
    if message_id:
        rows = SharePage.objects.filter(share=share).order_by("number").values_list("number", "message_ids")
        number = next((row for row, ids in rows.iterator() if message_id in ids), 0)
    page = SharePage.objects.filter(share=share, number=number).first()
    hidden = hidden_since(share)
    shown = [each for each in (page.messages if page else []) if each["id"] not in hidden]
    if message_id:
        shown = [each for each in shown if each["id"] == message_id]
        if not shown:
            raise BadInput(_("That message is not on this page."))
    return shown
