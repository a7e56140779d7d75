"""Saves, changes, withdraws and imports feedback on answers."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db.models import Count
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Message, Role
from chat.conversations.origins import EDITED
from chat.conversations.settlement import is_any_live
from chat.core.errors import BadInput, Busy, NotFound
from chat.core.text import trimmed
from chat.feedback.models import Feedback

NOTE_LENGTH = 2000  # of Feedback.note
NO_FEEDBACK = 0  # as a value in requests and answers: it withdraws


def save_feedback(*, user: User, message: Message, value: int, reason: str = "", note: str = "") -> None:
    """Saves feedback of a user who may read the message, as the caller checked. Value 0 withdraws it."""
    _check_feedback(message, value, reason, note)
    if value == NO_FEEDBACK:
        Feedback.objects.filter(user=user, message=message).delete()
        return
    fields = {"value": value, "reason": reason, "note": trimmed(note)}
    Feedback.objects.update_or_create(
        user=user,
        message=message,
        defaults=fields,
        create_defaults={**fields, "model_id": message.conversation.model_id},
    )


def get_feedback(*, user: User, message: Message) -> dict[str, int | str]:
    """Returns the feedback of this user on a message; its value is 0 where there is none."""
    row = Feedback.objects.filter(user=user, message=message).first()
    if row is None:
        return {"value": NO_FEEDBACK, "reason": "", "note": ""}
    return {"value": row.value, "reason": row.reason, "note": row.note}


def feedback_by_message(*, user: User, messages: Sequence[Message]) -> dict[UUID, dict[str, int | str]]:
    """Returns the feedback of this user on those of the messages that have some."""
    rows = Feedback.objects.filter(user=user, message__in=[message.pk for message in messages])
    return {row.message_id: {"value": row.value, "reason": row.reason, "note": row.note} for row in rows}


def import_feedback(*, user: User, entries: Sequence[tuple[Message, object]]) -> int:
    """Stores feedback from a file on imported answers. Only its owner sees it: staff see feedback given here.

    Returns how many entries were not valid and were left out.
    """
    rows = [row for message, each in entries if (row := _parse(user, message, each))]
    Feedback.objects.bulk_create(rows, batch_size=500)
    return len(entries) - len(rows)


def _parse(user: User, message: Message, entry: object) -> Feedback | None:
    fields = entry if isinstance(entry, dict) else {}
    value, reason, note = fields.get("value"), fields.get("reason") or "", fields.get("note") or ""
    is_rating = type(value) is int and value in Feedback.Value.values
    if not is_rating or message.role != Role.ASSISTANT or not isinstance(note, str):
        return None
    if len(note) > NOTE_LENGTH or reason not in ("", *Feedback.Reason.values):
        return None
    return Feedback(
        user=user,
        message=message,
        model_id=message.conversation.model_id,
        value=int(value or 0),
        reason=str(reason),
        note=trimmed(note.replace("\x00", "").encode("utf-8", "ignore").decode()),
    )


def load(messages: Sequence[Message]) -> None:
    """Sets `feedback` in the extras of answers that have some, in one query. Only owners can give it."""
    answers = [message.pk for message in messages if message.role == Role.ASSISTANT]
    if not answers:
        return
    given = dict(Feedback.objects.filter(message__in=answers).values_list("message", "value"))
    for message in messages:
        if message.pk in given:
            message.extras = {**message.extras, "feedback": given[message.pk]}


def counts() -> list[tuple[str, str, str, int]]:
    """Returns (model, rating, reason, how many), the most frequent first."""
    rows = (
        Feedback.objects.filter(message__conversation__deleted_at=None, message__source="")
        .values_list("model__name", "value", "reason")
        .annotate(number=Count("pk"))
        .order_by("model__name", "-value", "-number")
    )
    return [
        (
            model,
            str(Feedback.Value(value).label),
            str(Feedback.Reason(reason).label) if reason else "–",
            number,
        )
        for model, value, reason, number in rows
    ]


def _check_feedback(message: Message, value: int, reason: str, note: str) -> None:
    if message.role != Role.ASSISTANT or message.hidden_at is not None:
        raise NotFound
    if message.source == EDITED:
        raise BadInput(_("This answer was edited. The model here did not write it so: it takes no feedback."))
    if message.source:
        raise BadInput(
            _("This answer was imported. The model here did not write it, so it takes no feedback.")
        )
    if is_any_live([message]):
        raise Busy(_("This reply is still being written. Please give feedback when it has ended."))
    if value not in (*Feedback.Value.values, NO_FEEDBACK):
        raise BadInput(_("Feedback is 1 (good), -1 (poor) or 0 (none)."))
    if reason and reason not in Feedback.Reason.values:
        raise BadInput(_("Please choose one of the reasons."))
    if len(note) > NOTE_LENGTH:
        raise BadInput(_("The note is longer than %d characters.") % NOTE_LENGTH)
