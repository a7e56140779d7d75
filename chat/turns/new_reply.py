"""Stores a live reply with its reservation and its generation, and submits its request after the commit."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID, uuid4

import msgspec
from django.db import transaction
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.branches import set_leaf
from chat.conversations.models import Message, MessageStatus, Role
from chat.core.errors import BadInput
from chat.core.text import estimate_tokens
from chat.model_cards.capabilities import capabilities_of
from chat.model_cards.models import ModelCard
from chat.personas.models import ConversationSettings
from chat.quotas import services as quotas
from chat.tools import services as tools
from chat.turns import redis_client, submission
from chat.turns.continued_thought import can_continue, store_continued
from chat.turns.models import Generation, Part
from chat.turns.parameters import Parameters
from chat.turns.prompts import BuiltPrompt, build_prompt, estimate_prompt
from chat.turns.reply_options import ReplyOptions
from chat.turns.requests import request_without_images, with_images
from chat.turns.resolved_options import ResolvedOptions, resolve_options
from inference.contract import GenerationRequest

logger = logging.getLogger("grokweb.turns")

NO_OPTIONS = ReplyOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewReply:
    """Holds what is known of a reply before its row is written."""

    user: User
    client_id: str
    model: ModelCard
    allowance: quotas.Allowance
    question: Message
    content: str | None = None  # the question's text with its files, where it was composed already
    options: ReplyOptions = NO_OPTIONS
    settings: ConversationSettings | None = None  # the conversation's, where they were read already
    continued: Message | None = None  # the answer whose text the reply begins with
    thought: Part | None = None  # the unfinished thought of that answer
    column: int = 0  # as in Parameters
    created_at: datetime | None = None  # of its answer; None: now


def store_reply(reply: NewReply) -> Generation:
    """Stores the live answer, its reservation and its generation; submits the request after the commit."""
    user, conversation = reply.user, reply.question.conversation
    prefix = reply.continued.text if reply.continued else ""
    resolved = resolve_options(user, conversation, reply.model, reply.options, reply.settings)
    prompt = _prompt_for(reply, prefix, resolved)
    thought = reply.thought if can_continue(resolved.model) else None
    estimated = estimate_prompt(prompt.messages) + (estimate_tokens(thought.text) if thought else 0)
    prompt_tokens = min(estimated, resolved.model.context)
    generation_id = uuid4()
    granted = _reserve(reply, resolved, generation_id, prompt_tokens)
    generation = Generation.objects.create(
        id=generation_id,
        message=_store_answer(reply, prefix),
        user=user,
        model=resolved.model.slug,
        client_id=reply.client_id,
        seed=resolved.seed,
        parameters=msgspec.structs.replace(
            _parameters(user, resolved, granted, prefix),
            began_again=reply.thought is not None and thought is None,
            column=reply.column,
        ),
        prompt=prompt.frozen,
        reserved=prompt_tokens + granted,
        has_parts=thought is not None,
    )
    if thought is not None:
        store_continued(generation, thought)
    set_leaf(user, generation.message)
    request = request_without_images(generation, prompt.messages, reply.allowance.terms)
    transaction.on_commit(partial(_submit, request), robust=True)
    return generation


def _prompt_for(reply: NewReply, prefix: str, resolved: ResolvedOptions) -> BuiltPrompt:
    """Returns what the model reads. Raises BadInput where a moderator hid the question."""
    prompt = build_prompt(
        reply.question,
        prefix,
        resolved.system,
        content=reply.content,
        sees=capabilities_of(resolved.model).images,
        context=resolved.model.context,
    )
    if not prompt.messages:
        raise BadInput(_("This question was removed by a moderator, so it is not answered again."))
    return prompt


def _reserve(reply: NewReply, resolved: ResolvedOptions, generation_id: UUID, prompt_tokens: int) -> int:
    """Reserves the prompt and the longest answer that the person's day leaves; returns that length."""
    return quotas.reserve(
        user=reply.user,
        allowance=reply.allowance,
        generation_id=generation_id,
        model=resolved.model.slug,
        prompt_tokens=prompt_tokens,
        max_new_tokens=resolved.max_tokens,
        is_length_chosen=resolved.is_length_chosen,
        price=resolved.model.price,
    )


def _parameters(user: User, resolved: ResolvedOptions, granted: int, prefix: str) -> Parameters:
    """Returns the parameters of a first step, with the tools that this person and this model may use."""
    parameters = resolved.parameters(max_new_tokens=granted, prefix_characters=len(prefix))
    offered = tools.offered_to(user)
    if not offered or not capabilities_of(resolved.model.slug).tools:
        return parameters
    return msgspec.structs.replace(parameters, tools=offered)


def _store_answer(reply: NewReply, prefix: str) -> Message:
    """An answer that continues an imported one keeps the mark of where that came from."""
    continued = reply.continued
    return Message.objects.create(
        conversation=reply.question.conversation,
        parent=reply.question,
        role=Role.ASSISTANT,
        status=MessageStatus.LIVE,
        text=prefix,
        source=continued.source if continued else "",
        source_model=continued.source_model if continued else "",
        **({"created_at": reply.created_at} if reply.created_at else {}),
    )


def _submit(request: GenerationRequest) -> None:
    """Runs after the commit. Without Redis the person keeps the ack, and reconcile submits later (rule 1)."""
    about = {"generation": request.generation_id, "model": request.model, "attempt": request.attempt}
    try:
        submission.submit(with_images(request))
        logger.info("reply asked for", extra={**about, "estimate": request.estimate})
    except redis_client.UNAVAILABLE as error:
        logger.warning("%s waits for reconcile: %s", request.generation_id, error, extra=about)
