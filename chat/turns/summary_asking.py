"""Asks a model for a summary of the oldest turns of a branch: work in its fair queue that nobody waits for.

A summary is a row with an attempt, a reservation and a settlement, as a reply is; its person's key in the
queue is another one than that of their chats, with a smaller weight and one summary at a time. Whatever goes
wrong, the summary fails, and prompts leave out the oldest turns as they do without one
(docs/long-conversations.md).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message
from chat.core.errors import BadInput, ChatError
from chat.core.text import estimate_tokens
from chat.model_cards.access import answers
from chat.model_cards.capabilities import capabilities_of
from chat.model_cards.limits import answer_tokens
from chat.model_cards.models import ModelCard
from chat.moderation import blocking
from chat.personas import services as personas
from chat.quotas import services as quotas
from chat.turns import redis_client, submission, summaries
from chat.turns.message_updates import announce_after_commit
from chat.turns.models import Generation, Summary, SummaryStatus
from chat.turns.prompts import prompt_of_summary, too_long_to_summarise
from chat.turns.requests import HOLD_BACK, opaque
from chat.turns.summary_places import MANY_MESSAGES, place_for, system_text
from inference.contract import EFFORTS, GenerationRequest, ReplyRule, Sampling

logger = logging.getLogger("grokweb.summaries")

LEAST_CONTEXT = 2000  # tokens: in a smaller one a summary would take the room of what it stands for
MOST_TOKENS = 600  # of the text
THOUGHT_TOKENS = 2000  # more where the model thinks first and cannot be asked not to
WEIGHT = 0.25  # of a person's weight in the fair queue
MOST_WAITING = 2  # summaries of one person


def consider(step: Generation) -> None:
    """Asks for a summary after a reply that nearly filled the context, or read nearly as many messages as a
    prompt may have, where its person wants summaries."""
    card = ModelCard.objects.filter(slug=step.model).first()
    used = step.prompt_tokens + step.completion_tokens
    if card is None or card.context <= LEAST_CONTEXT:
        return
    is_full = used >= summaries.NEARLY_FULL * card.context or step.turns_left_out > 0
    if not is_full and step.prompt.messages < MANY_MESSAGES:
        return
    answer = Message.objects.select_related("conversation__owner").filter(pk=step.message_id).first()
    if answer is None or answer.conversation.deleted_at or not _may_have(answer.conversation.owner, card):
        return
    if not personas.get_custom_instructions(answer.conversation.owner).compact:
        return
    end = place_for(answer, card, is_full=is_full)
    if end is not None:
        try:
            ask_for(end, answer.conversation.owner, card)
        except ChatError as error:
            logger.info("no summary: %s", error.code, extra={"generation": str(step.pk)})


def _may_have(user: User, card: ModelCard) -> bool:
    return user.is_active and not user.is_suspended and answers(card, user)


@transaction.atomic
def ask_for(end: Message, user: User, card: ModelCard) -> Summary:
    """Stores a summary that waits, with its reservation; submits it after the commit. Raises ChatErrors."""
    allowance = quotas.open_today(user, card.price)  # locks the person's day: two tabs take turns
    waiting = Summary.objects.filter(status=SummaryStatus.WAITING)
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
        status=SummaryStatus.WAITING,
        model=card.slug,
        seed=secrets.randbelow(2**63),
        max_tokens=longest,
    )
    messages = _messages(summary, card)
    tokens = sum(estimate_tokens(each["content"]) for each in messages)
    if tokens + longest > card.context:
        raise too_long_to_summarise()
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
    announce_after_commit(summary.last)  # before it is submitted: its end must not be announced first
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


def _messages(summary: Summary, card: ModelCard) -> list[dict[str, Any]]:
    conversation = Conversation.objects.select_related("owner").get(pk=summary.conversation_id)
    words = min(summary.max_tokens, MOST_TOKENS) // 2
    return prompt_of_summary(summary.last, system_text(conversation), words, card.context)


def request_for(summary: Summary, messages: Sequence[dict[str, Any]] | None = None) -> GenerationRequest:
    terms = quotas.terms_for(summary.user)
    card = ModelCard.objects.get(slug=summary.model)
    rules = tuple(ReplyRule(**rule) for rule in blocking.reply_rules())
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
