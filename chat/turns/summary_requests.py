"""Changes the summary that ends with an answer, for the owner of its conversation."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.accounts.services import check_not_suspended
from chat.conversations.models import Message, MessageStatus, Role
from chat.core.errors import BadInput, NotFound
from chat.core.throttling import throttle
from chat.model_cards.access import check_answers
from chat.turns import message_updates, summaries, summary_asking, summary_stopping
from chat.turns.models import SummaryStatus


def use(message: Message, user: User) -> None:
    """Uses a summary again that was undone; without one, asks the model to write one up to this answer.

    Raises ChatErrors.
    """
    check_not_suspended(user)
    try:
        latest = summaries.latest_for(message)
    except NotFound:
        latest = None
    if latest is not None and latest.status in (SummaryStatus.READY, SummaryStatus.WAITING):
        return
    if latest is not None and latest.status == SummaryStatus.UNDONE:
        summaries.check_size(summaries.size_of(latest), message)
        _change(message, used=True)
        return
    if message.role != Role.ASSISTANT or message.status == MessageStatus.LIVE:
        raise BadInput(_("Only what ends with a finished answer can be summarised."))
    throttle("summary", str(user.pk), 30, 3600)
    check_answers(message.conversation.model, user)
    summary_asking.ask_for(message, user, message.conversation.model)


def edit(message: Message, user: User, text: object) -> None:
    """Raises ChatErrors."""
    check_not_suspended(user)
    summaries.edit(message=message, user=user, text=text)
    message_updates.announce(message)


def undo(message: Message) -> None:
    """Leaves a summary out of prompts, or ends its writing. Raises NotFound."""
    latest = summaries.latest_for(message)
    if latest.status == SummaryStatus.WAITING:
        summary_stopping.stop(latest)
    else:
        _change(message, used=False)


@transaction.atomic
def _change(message: Message, *, used: bool) -> None:
    if summaries.set_used(summaries.latest_for(message), used=used):
        transaction.on_commit(lambda: message_updates.announce(message), robust=True)
