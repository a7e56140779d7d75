"""Chooses, shows and changes summaries of the oldest turns of a branch; summary_asking.py has them written.

A summary covers its branch from the first message to `last`. The tree is never changed: an undone summary
leaves the messages as they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message, Role
from chat.conversations.tree import BRANCH_MESSAGES, ids_to
from chat.core.entry_points import check_text
from chat.core.errors import BadInput, NotFound
from chat.core.signals import text_erased
from chat.core.text import estimate_tokens, grouped, trimmed
from chat.turns.models import Summary, SummaryStatus

NEARLY_FULL = 0.8  # of the context: what will be left out is shown, and summarised after a reply
SUMMARY_CHARS = 12_000
LARGEST = 4  # of the context a summary may take one part in so many: nothing is left out of system messages


# --- What a prompt uses -----------------------------------------------------------------------------------


def latest_in(conversation: UUID) -> dict[UUID, Summary]:
    """Returns the highest version of each summary by the message with which it ends. Those that failed do
    not count."""
    rows = Summary.objects.filter(conversation=conversation).exclude(status=SummaryStatus.FAILED)
    return {row.last_id: row for row in rows.order_by("version")}


def on_branch(latest: Mapping[UUID, Summary], branch: Sequence[UUID]) -> list[Summary]:
    """Returns those of these summaries that end with one of these messages, in their order."""
    return [latest[pk] for pk in branch if pk in latest]


def in_use(
    latest: Mapping[UUID, Summary], branch: Sequence[UUID], leaf: Message, context: int | None = None
) -> Summary | None:
    """Returns the summary in use that covers most of a branch and fits a model of this context (None: the
    model of the conversation). `branch` are the messages with which it may end, `leaf` is any of their
    conversation."""
    ready = [row for row in on_branch(latest, branch) if row.status == SummaryStatus.READY]
    if ready and context is None:
        context = leaf.conversation.model.context
    return next((row for row in reversed(ready) if size_of(row) <= (context or 0) // LARGEST), None)


def size_of(summary: Summary) -> int:
    """Estimates the tokens of a summary. One that a model wrote has at most as many as it might write."""
    estimated = estimate_tokens(summary.text)
    return estimated if summary.is_edited else min(estimated, summary.max_tokens)


def check_size(tokens: int, message: Message) -> None:
    """Raises BadInput for a summary that prompts of the conversation's model would not use."""
    limit = message.conversation.model.context // LARGEST
    if tokens > limit:
        words = _("This summary has about %(tokens)s tokens; for this model it may have %(limit)s.")
        raise BadInput(words % {"tokens": grouped(tokens), "limit": grouped(limit)})


def named(pk: UUID | None, conversation: UUID) -> Summary | None:
    """Returns the version that an earlier attempt read, whatever happened to it since; None if it is gone."""
    return Summary.objects.filter(pk=pk, conversation=conversation).first() if pk else None


def after(summary: Summary | None, path: Sequence[Message]) -> Sequence[Message]:
    """Returns the messages of a path that the summary does not cover: all where it ends above the path."""
    ids = [message.pk for message in path]
    if summary is None or summary.last_id not in ids:
        return path
    return path[ids.index(summary.last_id) + 1 :]


def ids_after(summary: Summary | None, branch: Sequence[UUID]) -> Sequence[UUID]:
    """Returns the same of a whole branch, as ids."""
    return branch if summary is None else branch[branch.index(summary.last_id) + 1 :]


# --- On pages ---------------------------------------------------------------------------------------------


def summary_json(summary: Summary) -> dict[str, Any]:
    return {
        "id": str(summary.pk),
        "version": summary.version,
        "status": summary.status,
        "text": summary.text,
        "edited": summary.is_edited,
        "model": summary.model,
        "created_at": summary.created_at.isoformat(),
    }


def load(messages: Sequence[Message]) -> None:
    """Adds the summary that ends with a message to its extras, with one query for all of these messages."""
    answers = {message.pk: message for message in messages if message.role == Role.ASSISTANT}
    rows = Summary.objects.filter(last__in=list(answers)).exclude(status=SummaryStatus.FAILED)
    for row in rows.order_by("version"):
        answer = answers[row.last_id]
        answer.extras = {**answer.extras, "summary": summary_json(row)}


def of_conversation(conversation: Conversation) -> list[dict[str, Any]]:
    """Returns the summaries with text, for exports: the highest version of each."""
    rows = Summary.objects.filter(conversation=conversation).exclude(text="").order_by("version")
    latest = {row.last_id: row for row in rows}
    return [{"last": str(pk), **summary_json(row)} for pk, row in latest.items()]


# --- What a person does with them -------------------------------------------------------------------------


def latest_for(message: Message) -> Summary:
    """Returns the highest version of the summary that ends with a message. Raises NotFound."""
    found = Summary.objects.filter(last=message).exclude(status=SummaryStatus.FAILED)
    latest = found.order_by("version").last()
    if latest is None:
        raise NotFound
    return latest


@transaction.atomic
def edit(*, message: Message, user: User, text: object) -> Summary:
    """Stores a person's own version, which is then in use. Raises NotFound, BadInput and RefusedByRule."""
    # Two tabs that save take turns, so that each gets a version of its own.
    Message.objects.select_for_update(no_key=True).only("pk").filter(pk=message.pk).first()
    before = latest_for(message)
    if not isinstance(text, str) or not trimmed(text):
        raise BadInput(_("The summary is empty. Undo it instead."))
    text = trimmed(text.replace("\r\n", "\n"))
    if len(text) > SUMMARY_CHARS:
        words = _("This text has %(length)s characters; it may have %(limit)s.")
        raise BadInput(words % {"length": grouped(len(text)), "limit": grouped(SUMMARY_CHARS)})
    check_size(estimate_tokens(text), message)
    if before.status not in (SummaryStatus.READY, SummaryStatus.UNDONE):
        raise BadInput(_("This summary has no text to edit."))
    check_text("summary_edit", text)
    return Summary.objects.create(
        conversation_id=before.conversation_id,
        user=user,
        last=message,
        version=next_version(message),
        status=SummaryStatus.READY,
        text=text,
        is_edited=True,
        model=before.model,
    )


def next_version(message: Message) -> int:
    highest: int | None = Summary.objects.filter(last=message).aggregate(top=Max("version"))["top"]
    return (highest or 0) + 1


def set_used(summary: Summary, *, used: bool) -> bool:
    """Uses a summary again, or no longer: then its turns are back in the prompt, and no other one is made of
    them unless the person asks. Returns whether it changed."""
    before, now = SummaryStatus.UNDONE, SummaryStatus.READY
    if not used:
        before, now = now, before
    return bool(Summary.objects.filter(pk=summary.pk, status=before).update(status=now))


# --- Erasure ----------------------------------------------------------------------------------------------


def delete_covering(message: Message) -> list[Message]:
    """Deletes the summaries that cover a message whose words must no longer be read, and returns their ends.
    Those below a deleted message are deleted with their own end."""
    rows = list(Summary.objects.filter(conversation=message.conversation_id).select_related("last"))
    ends = {row.last_id: row.last for row in rows}
    covering = [end for end in ends.values() if message.pk in ids_to(end, BRANCH_MESSAGES)]
    if covering:
        Summary.objects.filter(last__in=covering).delete()
        text_erased.send_robust(Summary)
    return covering
