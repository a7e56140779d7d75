"""Starting a turn: a question is stored with a live reply, its reservation and its generation, or nothing is.

Nothing in a transaction here talks to Redis (rule 14); new_reply.py submits the request after the commit.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.accounts.services import check_not_suspended
from chat.conversations.access import conversation_for
from chat.conversations.branches import set_leaf
from chat.conversations.models import Conversation, Message
from chat.conversations.titles import title_from
from chat.core.entry_points import check_text
from chat.core.errors import BadInput
from chat.files import prompt_text, serializers
from chat.turns import columns, steps
from chat.turns import question as questions
from chat.turns.admission import admit, parent_for, settled_answer_for
from chat.turns.continued_thought import cut_thought
from chat.turns.idempotency import Turn, store_once
from chat.turns.models import Generation, Part
from chat.turns.new_conversation import NewConversation
from chat.turns.new_reply import NO_OPTIONS, NewReply, store_reply
from chat.turns.question import Question, ReadQuestion
from chat.turns.reply_options import ReplyOptions
from chat.turns.resolved_options import model_of_reply

DEFAULT_CONVERSATION = NewConversation()
AFTER_FIRST = timedelta(milliseconds=1)  # siblings are ordered by time


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
    reply = NewReply(
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
    reply = NewReply(
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


def _new_turn(read: ReadQuestion, siblings: list[UUID], reply: NewReply, also: str | None) -> Turn:
    """Sets what load_siblings would read back from the rows just written: nobody has judged the messages, and
    an answer without a second model's is the only one."""
    asked = reply.question
    asked.siblings, asked.extras = siblings, serializers.extras(read.files)
    if also is not None:
        generation, beside = _store_columns(reply, also, read)
        return Turn(generation, [asked, generation.message, beside.message], is_new=True, beside=beside)
    generation = store_reply(reply)
    answer = generation.message
    answer.siblings, answer.extras = [answer.pk], {**serializers.extras([]), **steps.extras([generation])}
    return Turn(generation, [asked, answer], is_new=True)


def _store_columns(reply: NewReply, also: str, read: ReadQuestion) -> tuple[Generation, Generation]:
    """Stores both answers; the next question follows the first one, unless the person chooses the other."""
    user, conversation = reply.user, reply.question.conversation
    options = replace(reply.options, model=also)
    model = model_of_reply(user, conversation, options)
    questions.check_images(read.files, model, user)
    questions.check_length(read.text, model, read.files)
    first = store_reply(replace(reply, column=columns.FIRST))
    second = replace(
        reply,
        client_id=columns.client_id_beside(reply.client_id),
        model=model,
        allowance=admit(user, model),  # counts the first one, too
        options=options,
        column=columns.SECOND,
        created_at=first.message.created_at + AFTER_FIRST,
    )
    beside = store_reply(second)
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
    reply = NewReply(
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
    generation = store_reply(reply)
    return Turn(generation, [generation.message], is_new=True)
