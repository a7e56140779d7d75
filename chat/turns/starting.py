"""Starting a turn: a question is stored with a live reply, its reservation and its generation, or nothing is.

Nothing in a transaction here talks to Redis (rule 14); the request is submitted after the commit.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import msgspec
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.accounts.services import check_not_suspended
from chat.conversations.access import conversation_for
from chat.conversations.branches import set_leaf
from chat.conversations.models import Conversation, Message, MessageStatus, Role
from chat.conversations.titles import title_from
from chat.core.entry_points import check_text
from chat.core.errors import BadInput
from chat.core.text import estimate_tokens
from chat.files import prompt_text, serializers
from chat.model_cards.capabilities import capabilities_of
from chat.model_cards.models import ModelCard
from chat.personas.models import ConversationSettings
from chat.quotas import services as quotas
from chat.tools import services as tools
from chat.turns import columns, redis_client, steps, submission
from chat.turns import question as questions
from chat.turns.admission import admit, parent_for, settled_answer_for
from chat.turns.continued_thought import can_continue, cut_thought, store_continued
from chat.turns.idempotency import Turn, store_once
from chat.turns.models import Generation, Part
from chat.turns.new_conversation import NewConversation
from chat.turns.parameters import Parameters
from chat.turns.prompts import build_prompt, estimate_prompt
from chat.turns.question import Question, ReadQuestion
from chat.turns.reply_options import ReplyOptions
from chat.turns.requests import request_without_images, with_images
from chat.turns.resolved_options import ResolvedOptions, model_of_reply, resolve_options
from inference.contract import GenerationRequest

logger = logging.getLogger("grokweb.turns")

NO_OPTIONS = ReplyOptions()
DEFAULT_CONVERSATION = NewConversation()
AFTER_FIRST = timedelta(milliseconds=1)  # siblings are ordered by time


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    """One reply to store, with everything that is known of it before its row is written."""

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


def send(
    *,
    user: User,
    conversation_id: UUID | None,
    parent_id: UUID | None,
    question: Question,
    client_id: str,
    options: ReplyOptions = NO_OPTIONS,
    start: NewConversation = DEFAULT_CONVERSATION,
    also: str | None = None,
) -> Turn:
    """Stores a message and starts a reply to it, and one of a second model (`also`) beside it.

    Raises ChatErrors; then nothing is stored.
    """
    if conversation_id is None:
        store = partial(_begin_conversation, user, parent_id, question, client_id, options, start, also)
    else:
        store = partial(_ask_in, conversation_id, user, parent_id, question, client_id, options, also)
    return store_once(user, client_id, store, after=parent_id)


def regenerate(*, user: User, message_id: UUID, client_id: str, options: ReplyOptions = NO_OPTIONS) -> Turn:
    """Starts another answer beside an existing one. Raises ChatErrors; then nothing is stored."""
    store = partial(_store_regenerated, user, message_id, client_id, options)
    return store_once(user, client_id, store, after=message_id)


def continue_reply(*, user: User, message_id: UUID, client_id: str) -> Turn:
    """Starts an answer that begins with the text of one that was cut, or within its thought. Raises
    ChatErrors, as above."""
    store = partial(_store_continued, user, message_id, client_id)
    return store_once(user, client_id, store, after=message_id)


# --- storing the three kinds of turn ----------------------------------------------------------------------


@transaction.atomic
def _begin_conversation(
    user: User,
    parent_id: UUID | None,
    question: Question,
    client_id: str,
    options: ReplyOptions,
    start: NewConversation,
    also: str | None,
) -> Turn:
    check_not_suspended(user)
    conversation, own_settings = start.create(user, question.text)
    chosen = questions.choose_files(question, user, conversation, is_new_conversation=True)
    parent = parent_for(user, conversation, parent_id)
    model = model_of_reply(user, conversation, options)
    questions.check_images(chosen, model, user)
    allowance = admit(user, model)
    read = questions.read(question, chosen)
    asked = read.store(user, conversation, parent)
    reply = _Reply(
        user=user,
        client_id=client_id,
        model=model,
        allowance=allowance,
        question=asked,
        content=read.content,
        options=options,
        settings=own_settings,
    )
    return _new_turn(read, [asked.pk], reply, also)


@transaction.atomic
def _ask_in(
    conversation_id: UUID,
    user: User,
    parent_id: UUID | None,
    question: Question,
    client_id: str,
    options: ReplyOptions,
    also: str | None,
) -> Turn:
    check_not_suspended(user)
    conversation = conversation_for(user, conversation_id)
    chosen = questions.choose_files(question, user, conversation, is_new_conversation=False)
    parent = parent_for(user, conversation, parent_id)
    model = model_of_reply(user, conversation, options)
    questions.check_images(chosen, model, user)
    allowance = admit(user, model)
    read = questions.read(question, chosen)
    asked = read.store(user, conversation, parent)
    touched: dict[str, Any] = {"updated_at": Now()}
    if not conversation.title:
        touched["title"] = conversation.title = title_from(question.text)
    Conversation.objects.filter(pk=conversation.pk).update(**touched)
    reply = _Reply(
        user=user,
        client_id=client_id,
        model=model,
        allowance=allowance,
        question=asked,
        content=read.content,
        options=options,
    )
    beside = conversation.messages.filter(parent=parent).order_by("created_at", "pk")
    siblings = list(beside.values_list("pk", flat=True))  # an edit stands beside other questions
    return _new_turn(read, siblings, reply, also)


def _new_turn(read: ReadQuestion, siblings: list[UUID], reply: _Reply, also: str | None) -> Turn:
    """Sets what load_siblings would read back from the rows just written: nobody has judged the messages, and
    an answer without a second model's is the only one."""
    asked = reply.question
    asked.siblings, asked.extras = siblings, serializers.extras(read.files)
    if also is not None:
        generation, beside = _store_columns(reply, also, read)
        return Turn(generation, [asked, generation.message, beside.message], is_new=True, beside=beside)
    generation = _store_reply(reply)
    answer = generation.message
    answer.siblings, answer.extras = [answer.pk], {**serializers.extras([]), **steps.extras([generation])}
    return Turn(generation, [asked, answer], is_new=True)


def _store_columns(reply: _Reply, also: str, read: ReadQuestion) -> tuple[Generation, Generation]:
    """Stores both answers; the next question follows the first one, unless the person chooses the other."""
    user, conversation = reply.user, reply.question.conversation
    options = replace(reply.options, model=also)
    model = model_of_reply(user, conversation, options)
    questions.check_images(read.files, model, user)
    questions.check_length(read.text, model, read.files)
    first = _store_reply(replace(reply, column=columns.FIRST))
    second = replace(
        reply,
        client_id=columns.client_id_beside(reply.client_id),
        model=model,
        allowance=admit(user, model),  # counts the first one, too
        options=options,
        column=columns.SECOND,
        created_at=first.message.created_at + AFTER_FIRST,
    )
    beside = _store_reply(second)
    set_leaf(user, first.message)
    return first, beside


@transaction.atomic
def _store_regenerated(user: User, message_id: UUID, client_id: str, options: ReplyOptions) -> Turn:
    check_not_suspended(user)
    answer, question = settled_answer_for(user, message_id)
    return _answer_again(user, client_id, answer, question, options)


@transaction.atomic
def _store_continued(user: User, message_id: UUID, client_id: str) -> Turn:
    check_not_suspended(user)
    answer, question = settled_answer_for(user, message_id)
    thought = None if answer.hidden_at else cut_thought(answer)
    if answer.hidden_at or not (answer.text or thought):
        raise BadInput(_("There is nothing to continue. Ask again instead."))
    before = Generation.objects.steps_of(answer).last()  # an imported answer has none
    options = ReplyOptions.copy_of(before) if before else NO_OPTIONS
    if answer.source:
        check_text("import_answer", answer.text)  # rules may be newer than the import
    return _answer_again(user, client_id, answer, question, options, continued=answer, thought=thought)


def _answer_again(
    user: User,
    client_id: str,
    answer: Message,
    question: Message,
    options: ReplyOptions,
    continued: Message | None = None,
    thought: Part | None = None,
) -> Turn:
    model = model_of_reply(user, answer.conversation, options)
    allowance = admit(user, model)
    content = prompt_text.content(question)
    check_text("message", content)  # rules may be newer than the question
    Conversation.objects.filter(pk=answer.conversation_id).update(updated_at=Now())
    reply = _Reply(
        user=user,
        client_id=client_id,
        model=model,
        allowance=allowance,
        question=question,
        content=content,
        options=options,
        continued=continued,
        thought=thought,
        column=columns.column_of(answer),
    )
    generation = _store_reply(reply)
    return Turn(generation, [generation.message], is_new=True)


def _store_reply(reply: _Reply) -> Generation:
    """Stores the live answer, its reservation and its generation; submits the request after the commit."""
    user, conversation = reply.user, reply.question.conversation
    prefix = reply.continued.text if reply.continued else ""
    resolved = resolve_options(user, conversation, reply.model, reply.options, reply.settings)
    sees = capabilities_of(resolved.model).images
    prompt = build_prompt(
        reply.question,
        prefix,
        resolved.system,
        content=reply.content,
        sees=sees,
        context=resolved.model.context,
    )
    messages = prompt.messages
    if not messages:
        raise BadInput(_("This question was removed by a moderator, so it is not answered again."))
    thought = reply.thought if can_continue(resolved.model) else None
    estimated = estimate_prompt(messages) + (estimate_tokens(thought.text) if thought else 0)
    prompt_tokens = min(estimated, resolved.model.context)
    generation_id = uuid4()
    granted = quotas.reserve(
        user=user,
        allowance=reply.allowance,
        generation_id=generation_id,
        model=resolved.model.slug,
        prompt_tokens=prompt_tokens,
        max_new_tokens=resolved.max_tokens,
        is_length_chosen=resolved.is_length_chosen,
        price=resolved.model.price,
    )
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
    request = request_without_images(generation, messages, reply.allowance.terms)
    transaction.on_commit(partial(_submit, request), robust=True)
    return generation


def _parameters(user: User, resolved: ResolvedOptions, granted: int, prefix: str) -> Parameters:
    """Returns the parameters of a first step, with the tools that this person and this model may use."""
    parameters = resolved.parameters(max_new_tokens=granted, prefix_characters=len(prefix))
    offered = tools.offered_to(user)
    if not offered or not capabilities_of(resolved.model.slug).tools:
        return parameters
    return msgspec.structs.replace(parameters, tools=offered)


def _store_answer(reply: _Reply, prefix: str) -> Message:
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
