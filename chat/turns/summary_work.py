"""Has the model summarise the oldest turns of a branch, as work in its fair queue that nobody waits for.

A summary is a row with an attempt, a reservation and a settlement, as a reply is; its person's key in the
queue is another one than that of their chats, with a smaller weight and one summary at a time. Whatever goes
wrong, the summary fails, and prompts leave out the oldest turns as they do without one
(docs/long-conversations.md).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.branches import turns_of
from chat.conversations.models import Conversation, Message, MessageStatus, Role
from chat.conversations.serializers import load_siblings, message_json
from chat.conversations.tree import ids_to, texts_to
from chat.core.entry_points import check_text
from chat.core.errors import BadInput, ChatError, RefusedByRule
from chat.core.text import estimate_tokens, trimmed
from chat.files import services as files
from chat.model_cards.access import answers
from chat.model_cards.capabilities import capabilities_of
from chat.model_cards.limits import answer_tokens
from chat.model_cards.models import ModelCard
from chat.moderation import services as moderation
from chat.personas import services as personas
from chat.quotas import services as quotas
from chat.turns import events, frames, redis_client, reply_state, served_models, submission, summaries
from chat.turns.models import UNSETTLED, Generation, Summary, SummaryStatus
from chat.turns.parts import storable
from chat.turns.prompts import HISTORY_MESSAGES, prompt_of_summary
from chat.turns.requests import HOLD_BACK, opaque
from inference.contract import EFFORTS, GenerationRequest, Reason, ReplyRule, Sampling
from inference.wire.lease import LeaseState
from inference.wire.log import Log

logger = logging.getLogger("grokweb.summaries")

LEAST_CONTEXT = 2000  # tokens: in a smaller one a summary would take the room of what it stands for
STAYS = 0.4  # of the context: so much of the newest turns is not summarised
READ_AT_ONCE = 0.6  # of the context: longer beginnings are summarised in pieces
MOST_TOKENS = 600  # of the text
THOUGHT_TOKENS = 2000  # more where the model thinks first and cannot be asked not to
WEIGHT = 0.25  # of a person's weight in the fair queue
MOST_WAITING = 2  # summaries of one person
MOST_FAILURES = 2  # for one place: then it is left alone
MOST_ATTEMPTS = 3
HIDING = timedelta(minutes=1)  # longer than a message takes from being hidden to the commit of that
WAITING = SummaryStatus.WAITING


# --- When, and of what ------------------------------------------------------------------------------------


def consider(step: Generation) -> None:
    """Asks for a summary after a reply that nearly filled the context, where its person wants summaries."""
    card = ModelCard.objects.filter(slug=step.model).first()
    used = step.prompt_tokens + step.completion_tokens
    if card is None or card.context <= LEAST_CONTEXT:
        return
    if used < summaries.NEARLY_FULL * card.context and not step.turns_left_out:
        return
    answer = Message.objects.select_related("conversation__owner").filter(pk=step.message_id).first()
    if answer is None or answer.conversation.deleted_at or not _may_have(answer.conversation.owner, card):
        return
    if not personas.get_custom_instructions(answer.conversation.owner).compact:
        return
    end = place_for(answer, card)
    if end is not None:
        try:
            ask_for(end, answer.conversation.owner, card)
        except ChatError as error:
            logger.info("no summary: %s", error.code, extra={"generation": str(step.pk)})


def _may_have(user: User, card: ModelCard) -> bool:
    return user.is_active and not user.is_suspended and answers(card, user)


def place_for(answer: Message, card: ModelCard) -> Message | None:
    """Returns the message up to which the branch of an answer should be summarised now; None for nowhere."""
    path = texts_to(answer, HISTORY_MESSAGES)
    if any(row.status != SummaryStatus.READY for row in summaries.latest_on(path)):
        return None  # one is being written, or the person wants none of these turns
    earlier = summaries.in_use(path, card.context)
    turns = turns_of(summaries.after(earlier, path))
    sizes = [sum(_tokens(turn)) for turn in turns]
    staying = len(turns) - 1
    while staying > 0 and sum(sizes[staying - 1 :]) <= STAYS * card.context:
        staying -= 1
    end, size = None, estimate_tokens(_system_text(answer.conversation))
    size += estimate_tokens(earlier.text) if earlier else 0
    for turn, tokens in zip(turns[:staying], sizes, strict=False):
        size += tokens
        if size > READ_AT_ONCE * card.context:
            break
        if turn[-1].role == Role.ASSISTANT:
            end = turn[-1]
    if end is None or _failures(end) >= MOST_FAILURES:
        return None
    return end


def _tokens(messages: Sequence[Message]) -> list[int]:
    texts = files.contents([message for message in messages if message.hidden_at is None])
    return [estimate_tokens(text) for text in texts.values()]


def _failures(end: Message) -> int:
    return Summary.objects.filter(last=end, status=SummaryStatus.FAILED).count()


@transaction.atomic
def ask_for(end: Message, user: User, card: ModelCard) -> Summary:
    """Stores a summary that waits, with its reservation; submits it after the commit. Raises ChatErrors."""
    allowance = quotas.open_today(user, card.price)  # locks the person's day: two tabs take turns
    waiting = Summary.objects.filter(status=WAITING)
    if waiting.filter(conversation=end.conversation_id).exists():
        raise BadInput(_("A summary of this conversation is being written."))
    if waiting.filter(user=user).count() >= MOST_WAITING:
        raise BadInput(_("Other summaries of yours are being written. Try again in a moment."))
    longest = _longest(card)
    summary = Summary(
        conversation_id=end.conversation_id,
        user=user,
        last=end,
        version=summaries.next_version(end),
        status=WAITING,
        model=card.slug,
        seed=secrets.randbelow(2**63),
        max_tokens=longest,
    )
    messages = _messages(summary, card)
    tokens = sum(estimate_tokens(each["content"]) for each in messages)
    if tokens + longest > card.context:
        raise BadInput(_("This is too long to be summarised at once. Summarise up to an earlier answer."))
    summary.max_tokens = quotas.reserve(
        user=user,
        allowance=allowance,
        generation_id=summary.pk,
        model=card.slug,
        prompt_tokens=tokens,
        max_new_tokens=longest,
        price=card.price,
    )
    summary.reserved = tokens + summary.max_tokens
    summary.save(force_insert=True)
    _announce_after_commit(summary)  # before it is submitted: its end must not be announced first
    transaction.on_commit(partial(_submit, request_for(summary, messages)), robust=True)
    logger.info("summary asked for", extra={"generation": str(summary.pk), "model": card.slug})
    return summary


def _longest(card: ModelCard) -> int:
    """Returns how many tokens a model may write, with its thought where it cannot be asked for none."""
    capabilities = capabilities_of(card)
    if not capabilities.reasoning or _least_effort(card) == EFFORTS[0]:
        return min(MOST_TOKENS, card.context // 8)
    return min(MOST_TOKENS + THOUGHT_TOKENS, card.context // 4, answer_tokens(card).longest)


def _least_effort(card: ModelCard) -> str:
    return next(iter(capabilities_of(card).efforts), "")


def _system_text(conversation: Conversation) -> str:
    persona = personas.get_conversation_settings(conversation).persona
    return personas.system_text(conversation.owner, persona)


def _messages(summary: Summary, card: ModelCard) -> list[dict[str, Any]]:
    conversation = Conversation.objects.select_related("owner").get(pk=summary.conversation_id)
    words = min(summary.max_tokens, MOST_TOKENS) // 2
    return prompt_of_summary(summary.last, _system_text(conversation), words, card.context)


def request_for(summary: Summary, messages: Sequence[dict[str, Any]] | None = None) -> GenerationRequest:
    terms = quotas.terms_for(summary.user)
    card = ModelCard.objects.get(slug=summary.model)
    rules = tuple(ReplyRule(**rule) for rule in moderation.reply_rules())
    return GenerationRequest(
        generation_id=str(summary.pk),
        attempt=summary.attempt,
        model=summary.model,
        messages=tuple(_messages(summary, card) if messages is None else messages),
        max_new_tokens=summary.max_tokens,
        seed=summary.seed,
        sampling=Sampling(temperature=0.0),
        user_key=opaque("background", summary.user_id),
        cache_key=opaque("conversation", summary.conversation_id),
        weight=terms.weight * WEIGHT,
        running_limit=1,
        estimate=summary.reserved,
        rules=rules,
        hold_back=HOLD_BACK if rules else 0,
        background=True,
        effort=_least_effort(card),
        context_limit=card.context_limit or 0,
    )


def _submit(request: GenerationRequest) -> None:
    """Runs after the commit; without Redis reconcile submits later (rule 1)."""
    try:
        submission.submit(request)
    except redis_client.UNAVAILABLE as error:
        logger.warning("summary %s waits for reconcile: %s", request.generation_id, error)


# --- Its end ----------------------------------------------------------------------------------------------


def settle(pk: UUID, attempt: int, log: Log) -> bool:
    """Stores what the model wrote and charges it; only the current attempt of an unsettled row wins, once.

    Returns whether this call did. An id of a reply finds nothing here.
    """
    assert log.end is not None
    text = trimmed(storable(log.text))
    status = SummaryStatus.READY if log.end.reason in (Reason.STOP, Reason.LENGTH) else SummaryStatus.FAILED
    if log.end.reason is Reason.STOPPED:
        status = SummaryStatus.STOPPED
    try:
        check_text("summary", text)
    except RefusedByRule:
        status = SummaryStatus.FAILED
    if status == SummaryStatus.READY and (not text or log.end.left_out):
        status = SummaryStatus.FAILED  # it would stand for turns that its worker did not read
    with transaction.atomic():
        row = Summary.objects.select_for_update().filter(UNSETTLED, pk=pk, attempt=attempt).first()
        if row is None:
            return False
        if row.status == SummaryStatus.STOPPED:
            status = SummaryStatus.STOPPED
        elif status == SummaryStatus.READY and _has_read_hidden(row):
            status = SummaryStatus.FAILED
        text = text if status == SummaryStatus.READY else ""
        Summary.objects.filter(pk=pk).update(status=status, text=text, finished_at=Now())
        failed = log.end.reason is Reason.FAILED
        quotas.charge(
            generation_id=pk,
            prompt_tokens=0 if failed else log.end.prompt_tokens,
            completion_tokens=0 if failed else log.end.completion_tokens,
            is_estimated=log.end.is_estimated,
        )
        summary = Summary.objects.select_related("last__conversation").get(pk=pk)
        _announce_after_commit(summary)
    about = {"generation": str(pk), "model": summary.model, "reason": str(log.end.reason)}
    logger.info("summary settled", extra={**about, "status": str(status)})
    return True


def _has_read_hidden(row: Summary) -> bool:
    """Returns whether a covered message may have been hidden after the prompt was made. The receiver of
    message_hidden misses a summary that was being asked for at that moment."""
    last = Message.objects.get(pk=row.last_id)
    hidden = Message.objects.filter(conversation=row.conversation_id, hidden_at__gte=row.created_at - HIDING)
    lately = set(hidden.values_list("pk", flat=True))
    return bool(lately) and not lately.isdisjoint(ids_to(last, summaries.BRANCH_MESSAGES))


def stop(summary: Summary) -> None:
    """Ends the writing of a summary; what has ended already stays. No other one is made there by itself.
    It is charged when the log has its end: with nothing, if no worker had begun."""
    with transaction.atomic():
        waiting = Summary.objects.filter(pk=summary.pk, status=WAITING)
        if waiting.update(status=SummaryStatus.STOPPED):
            stop_in_redis = partial(_stop_in_redis, summary.pk, summary.attempt)
            transaction.on_commit(stop_in_redis, robust=True)
            _announce_after_commit(summary)


def stop_all(**which: Any) -> None:
    for summary in Summary.objects.filter(status=WAITING, **which).select_related("last__conversation"):
        stop(summary)


def free(summary: Summary) -> None:
    """Releases what a summary that is being deleted reserved, and tells its worker after the commit."""
    quotas.charge(generation_id=summary.pk, prompt_tokens=0, completion_tokens=0)
    transaction.on_commit(partial(_stop_in_redis, summary.pk, summary.attempt), robust=True)


def _stop_in_redis(pk: UUID, attempt: int) -> None:
    try:
        if submission.stop(pk, attempt) in ("ended", "already"):
            finish(pk, attempt)
    except redis_client.UNAVAILABLE as error:
        logger.warning("stop of summary %s waits for reconcile: %s", pk, error)


def _announce_after_commit(summary: Summary) -> None:
    transaction.on_commit(partial(announce, summary.last), robust=True)


def announce(message: Message) -> None:
    """Sends the message above the divider to the owner's pages, with the summary as it is now."""
    found = Message.objects.select_related("conversation").filter(pk=message.pk).first()
    if found is not None and found.status != MessageStatus.LIVE:
        changed = frames.MessageChanged(message=with_summary_json(found))
        events.publish_sync(found.conversation.owner_id, changed)


def with_summary_json(message: Message) -> dict[str, Any]:
    """Returns a message with its summary as it is now; null where a page may still show one that is gone."""
    load_siblings([message])
    return {"summary": None, **message_json(message)}


# --- Repair (called by reconcile, after its rest) -----------------------------------------------------------


def unsettled_ids() -> list[UUID]:
    return list(Summary.objects.filter(UNSETTLED).values_list("pk", flat=True))


def reconcile_summaries() -> set[str]:
    """Compares unsettled summaries with Redis, and returns their models. One whose worker died fails: a
    prompt that kills workers must not get a second one, and a summary is not worth a strike."""
    age = timedelta(seconds=settings.RECONCILE_AGE_SECONDS)
    old = Summary.objects.filter(UNSETTLED, created_at__lt=Now() - age)
    rows = list(old.select_related("last__conversation", "user"))
    if not rows:
        return set()
    leases = reply_state.lease_states([row.pk for row in rows])
    for row, lease in zip(rows, leases, strict=True):
        _repair_or_log(row, lease)
    return {row.model for row in rows}


def _repair_or_log(row: Summary, lease: LeaseState) -> None:
    """Repairs one row, as reconcile does with replies: one that cannot be repaired must not end the pass."""
    try:
        _repair(row, lease)
    except (*redis_client.UNAVAILABLE, OperationalError, InterfaceError):
        raise
    except Exception:
        logger.exception("not mended: %s", row.pk, extra={"generation": str(row.pk)})


def _repair(row: Summary, lease: LeaseState) -> None:
    known = lease.attempt == row.attempt
    if lease.ended:
        finish(row.pk, row.attempt)
    elif row.status == SummaryStatus.STOPPED:
        if known and (lease.state == "q" or lease.leased):
            _stop_in_redis(row.pk, row.attempt)  # the flag may have been lost
        else:
            _end(row, Reason.STOPPED)
    elif known and lease.state == "r" and not lease.leased:
        _end(row, Reason.FAILED)
    elif known and lease.state == "q":
        long_ago = Now() - timedelta(seconds=settings.QUEUE_TIMEOUT)
        waited = Summary.objects.filter(pk=row.pk, created_at__lt=long_ago)
        if not served_models.was_seen(row.model) and waited.exists():
            _end(row, Reason.FAILED)
    elif not (known and lease.leased):
        _submit_again(row)  # Redis does not have it


def _end(row: Summary, reason: Reason) -> None:
    submission.end(row.pk, row.attempt, reason)
    finish(row.pk, row.attempt)


def _submit_again(row: Summary) -> None:
    if row.attempt >= MOST_ATTEMPTS:
        _end(row, Reason.FAILED)
        return
    raised = Summary.objects.filter(pk=row.pk, status=WAITING, attempt=row.attempt)
    if raised.update(attempt=F("attempt") + 1):
        row.attempt += 1
        submission.submit(request_for(row))


def finish(pk: UUID, attempt: int) -> None:
    log = reply_state.read_log(pk)
    if log.end is not None:
        settle(pk, attempt, log)
    submission.settled(pk)
