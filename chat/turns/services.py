"""One exchange: a question is stored with the promise of a reply, and the reply is settled once.

Nothing in a transaction here talks to Redis (rule 14); what must follow does so after the commit.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Q, TextField, Value
from django.db.models.functions import Concat, Now
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.accounts.services import check_not_suspended
from chat.conversations import services as conversations
from chat.conversations.access import conversation_for, message_for
from chat.conversations.models import Conversation, Message, MessageStatus, Role
from chat.core.entry_points import check_text
from chat.core.errors import BadInput, Busy, ChatError, QueueFull, TooLong
from chat.core.storage import check_room, write_if_room
from chat.core.text import estimate_tokens, trimmed
from chat.files import services as files
from chat.files.models import File
from chat.moderation import services as moderation
from chat.quotas import services as quotas
from chat.turns import port, titles
from chat.turns.brief import brief_for, sampling_of
from chat.turns.models import Generation, Status
from chat.turns.start import Start
from chat.turns.wishes import Wishes
from inference.contract import ErrorCode, GenerationRequest, Reason, ReplyRule
from inference.figures import Times
from inference.log import Log

logger = logging.getLogger("grokweb.turns")

CLIENT_ID_LENGTH = 64
CHARACTERS_A_TOKEN = 4  # generous: what passes here and is too long all the same ends with the code too_long
HISTORY_MESSAGES = 400  # the worker keeps what fits; this bounds the reading
HOLD_BACK = 64  # characters kept unshown while reply rules are active: the longest match that is hidden whole
BUSY_RETRY_SECONDS = 15
NO_WISHES = Wishes()
DEFAULTS = Start()
_SURROGATE = re.compile("[\ud800-\udfff]")
REPORTED = (
    "model",
    "attempt",
    "status",
    "reason",
    "error",
    "prompt_tokens",
    "completion_tokens",
    "queued_ms",
    "first_token_ms",
    "whole_ms",
)

STATUS_OF = {
    Reason.STOP: Status.COMPLETE,
    Reason.LENGTH: Status.COMPLETE,
    Reason.STOPPED: Status.STOPPED,
    Reason.REFUSED: Status.REFUSED,
    Reason.FAILED: Status.FAILED,
}


@dataclass(frozen=True, slots=True)
class Turn:
    """What a send or a regenerate stored: the page's ack."""

    generation: Generation
    messages: list[Message]  # the question (if new) and the live reply
    is_new: bool

    @property
    def conversation(self) -> Conversation:
        return self.generation.message.conversation


# --- asking -----------------------------------------------------------------------------------------------


def send(
    *,
    user: User,
    conversation_id: UUID | None,
    parent_id: UUID | None,
    content: str,
    client_id: str,
    wishes: Wishes = NO_WISHES,
    start: Start = DEFAULTS,
    file_ids: Sequence[UUID] = (),
) -> Turn:
    """Stores a message and asks for a reply. Raises ChatErrors; then nothing is stored."""

    def ask() -> Turn:
        check_not_suspended(user)
        text = clean(content)
        if conversation_id is None:
            conversation = start.conversation(user, text)
        else:
            conversation = conversation_for(user, conversation_id)
        check_length(text, conversation)
        attached = files.chosen(user, file_ids, conversation if conversation_id else None)
        check_length(text, conversation, attached)
        parent = _parent(user, conversation, parent_id)
        terms = _admitted(user, wishes.model or conversation.model_id)
        files.load_texts(attached)
        check_text("message", files.with_files(text, attached))
        asked = Message.objects.create(
            conversation=conversation, parent=parent, role=Role.USER, author=user, text=text
        )
        files.attach(asked, attached)
        if not conversation.title:
            conversation.title = conversations.title_from(text)
            conversation.save(update_fields=["title"])
        return _ask_for_reply(user, asked, client_id, terms, new=[asked], wishes=wishes)

    return _once(user, client_id, ask, after=parent_id)


def regenerate(*, user: User, message_id: UUID, client_id: str, wishes: Wishes = NO_WISHES) -> Turn:
    """Asks for a second answer beside an existing one."""

    def ask() -> Turn:
        check_not_suspended(user)
        answer, asked = _settled(user, message_id)
        terms = _admitted(user, wishes.model or answer.conversation.model_id)
        _check_question(asked)
        return _ask_for_reply(user, asked, client_id, terms, wishes=wishes)

    return _once(user, client_id, ask, after=message_id)


def go_on(*, user: User, message_id: UUID, client_id: str) -> Turn:
    """Asks for the rest of an answer that was cut: another one, which begins with the words of this one."""

    def ask() -> Turn:
        check_not_suspended(user)
        answer, asked = _settled(user, message_id)
        if not answer.text or answer.hidden_at:
            raise BadInput(_("There is nothing to go on from. Ask again instead."))
        before = Generation.objects.filter(message=answer).first()  # an imported answer has none
        wishes = Wishes.as_for(before) if before else NO_WISHES
        terms = _admitted(user, wishes.model or answer.conversation.model_id)
        _check_question(asked)
        if answer.source:
            check_text("import_answer", answer.text)  # rules may be newer than the import
        return _ask_for_reply(user, asked, client_id, terms, wishes=wishes, begun=answer)

    return _once(user, client_id, ask, after=message_id)


def _settled(user: User, message_id: UUID) -> tuple[Message, Message]:
    """An answer that is not being written, and its question."""
    answer = message_for(user, message_id)
    if answer.role != Role.ASSISTANT or answer.parent is None:
        raise BadInput(_("Only an answer can be asked for again."))
    if answer.status == MessageStatus.LIVE:
        raise Busy(_("The last reply is still being written."))
    return answer, answer.parent


def _check_question(asked: Message) -> None:
    check_text("message", files.content(asked))  # rules may be newer than the question


def _admitted(user: User, model: str) -> quotas.Terms:
    """The checks that need only numbers, before texts of files and of the history are read."""
    _check_queue(user, model)
    terms = quotas.terms_for(user)
    quotas.check_any_left(user, terms)
    return terms


def _once(user: User, client_id: str, ask: Callable[[], Turn], *, after: UUID | None) -> Turn:
    """Runs `ask` in one transaction; the same client_id again gives the first turn (idempotent).

    `after`: the answer that must be complete. The page hears of its end from the log, a moment before the
    row does; who asks in that moment need not wait.
    """
    check_client_id(client_id)
    turn = _earlier(user, client_id)
    if turn is not None:
        return turn
    check_room()
    stored = transaction.atomic(ask)
    try:
        try:
            return stored()
        except Busy:
            if after is None or not is_settled_by_now(after):
                raise
            return stored()
    except IntegrityError:
        turn = _earlier(user, client_id)  # two sockets sent it at the same moment
        if turn is None:
            raise
        return turn


def check_client_id(client_id: str) -> None:
    if not client_id or len(client_id) > CLIENT_ID_LENGTH or not client_id.isprintable():
        raise BadInput(_("client_id must have 1 to 64 printable characters."))


def is_settled_by_now(message_id: UUID) -> bool:
    """Whether a reply that was found live has its end in the log; then its row is settled here."""
    live = Generation.objects.live().filter(message=message_id)
    try:
        for row in live:
            finish(row.pk, row.attempt)
    except port.UNAVAILABLE:
        return False
    return not live.all().exists()


def _earlier(user: User, client_id: str) -> Turn | None:
    same = Generation.objects.filter(user=user, client_id=client_id)
    if not same.exists():  # nearly always: not worth the joins below
        return None
    generation = same.select_related("message__conversation__model", "message__parent").get()
    asked = generation.message.parent
    return Turn(generation, [asked, generation.message] if asked else [generation.message], is_new=False)


def _ask_for_reply(
    user: User,
    asked: Message,
    client_id: str,
    terms: quotas.Terms,
    *,
    wishes: Wishes,
    new: Sequence[Message] = (),
    begun: Message | None = None,
) -> Turn:
    """`begun`: the answer that the reply begins with, word for word. Where that came from stays with it."""
    said = begun.text if begun else ""
    conversation = asked.conversation
    brief = brief_for(user, conversation, wishes)
    model = brief.model
    history = prompt_of(asked, said, brief.system)
    if not history:
        raise BadInput(_("This question was removed by a moderator, so it is not answered again."))
    reply = Message.objects.create(
        conversation=conversation,
        parent=asked,
        role=Role.ASSISTANT,
        status=MessageStatus.LIVE,
        text=said,
        source=begun.source if begun else "",
        source_model=begun.source_model if begun else "",
    )
    prompt_tokens = sum(estimate_tokens(message["content"]) for message in history)
    generation_id = uuid4()
    prompt_tokens = min(prompt_tokens, model.context_tokens)
    granted = quotas.reserve(
        user=user,
        terms=terms,
        generation_id=generation_id,
        model=model.slug,
        prompt_tokens=prompt_tokens,
        max_new_tokens=brief.max_tokens,
    )
    generation = Generation.objects.create(
        id=generation_id,
        message=reply,
        user=user,
        model=model.slug,
        client_id=client_id,
        seed=brief.seed,
        parameters={"max_new_tokens": granted, "said": len(said), **brief.parameters},
        reserved=prompt_tokens + granted,
    )
    Conversation.objects.filter(pk=conversation.pk).update(updated_at=Now())
    conversations.set_leaf(user, reply)
    request = request_for(generation, history, terms)
    transaction.on_commit(lambda: _submit(request), robust=True)
    return Turn(generation, [*new, reply], is_new=True)


def _submit(request: GenerationRequest) -> None:
    """After the commit. Redis may be down: the person keeps the ack, reconcile submits later (rule 1)."""
    about = {"generation": request.generation_id, "model": request.model, "attempt": request.attempt}
    try:
        port.submit(request)
        logger.info("reply asked for", extra={**about, "estimate": request.estimate})
    except port.UNAVAILABLE as error:
        logger.warning("%s waits for reconcile: %s", request.generation_id, error, extra=about)


def _parent(user: User, conversation: Conversation, parent_id: UUID | None) -> Message | None:
    if parent_id is None:
        return None
    parent = message_for(user, parent_id)
    if parent.conversation_id != conversation.pk or parent.role != Role.ASSISTANT:
        raise BadInput(_("A message answers an answer of the same conversation."))
    if parent.status == MessageStatus.LIVE:
        raise Busy(_("The last reply is still being written."))
    return parent


def _check_queue(user: User, model: str) -> None:
    """The bound on length (rule 5): live rows, counted in the transaction that would add one.

    Who has no live reply is let in up to twice the limit, so that a few people cannot fill it for all.
    """
    live = Generation.objects.live().aggregate(
        waiting=Count("pk", filter=Q(model=model)), own=Count("pk", filter=Q(user=user))
    )
    room = settings.QUEUE_LIMIT if live["own"] else 2 * settings.QUEUE_LIMIT
    for count, limit in ((live["waiting"], room), (live["own"], settings.USER_LIVE_LIMIT)):
        if count >= limit:
            raise QueueFull(waiting=count, retry_after=BUSY_RETRY_SECONDS)


def clean(content: object) -> str:
    """What a person may send: text with something in it, without NUL (PostgreSQL refuses it)."""
    if not isinstance(content, str):
        raise BadInput(_("The message is not text."))
    text = trimmed(content.replace("\r\n", "\n"))
    if not text:
        raise BadInput(_("The message is empty."))
    if "\x00" in text or _SURROGATE.search(text):
        raise BadInput(_("The message contains characters that are not text."))
    return text


def check_length(text: str, conversation: Conversation, attached: Sequence[File] = ()) -> None:
    limit = conversation.model.context_tokens * CHARACTERS_A_TOKEN
    length = len(text) + files.characters(attached)
    if length > limit:
        raise TooLong(length=length, limit=limit, with_files=bool(attached))


def prompt_of(asked: Message, said: str = "", system: str = "") -> list[dict[str, str]]:
    """Returns what the model reads: the system message, the branch up to and including `asked`, and how the
    answer begins, in an order that every chat template renders (inference/text/alternate.py).

    A message that moderation hid has no text here. Empty if the question itself is hidden: then there is
    nothing to answer.
    """
    if asked.hidden_at is not None:
        return []
    path = conversations.said_to(asked, HISTORY_MESSAGES)
    read = files.contents([message for message in path if message.hidden_at is None])
    history = [{"role": Role.SYSTEM, "content": system}] if system else []
    history += [{"role": message.role, "content": read.get(message.pk, "")} for message in path]
    return port.in_turn([*history, {"role": Role.ASSISTANT, "content": said}] if said else history)


def prompt_for(generation: Generation) -> list[dict[str, str]]:
    """What a reply that is being written was asked with; its message holds what it goes on from."""
    message = generation.message
    assert message.parent is not None
    return prompt_of(message.parent, message.text, generation.parameters.get("system", ""))


def request_for(
    generation: Generation, messages: list[dict[str, str]] | None = None, terms: quotas.Terms | None = None
) -> GenerationRequest:
    """The contract for one attempt; the same row and branch give the same request."""
    message = generation.message
    if messages is None:
        messages = prompt_for(generation)
    terms = terms or quotas.terms_for(generation.user)
    parameters = generation.parameters
    rules = tuple(ReplyRule(**rule) for rule in moderation.reply_rules())
    return GenerationRequest(
        generation_id=str(generation.pk),
        attempt=generation.attempt,
        model=generation.model,
        messages=tuple(messages),
        max_new_tokens=parameters["max_new_tokens"],
        seed=generation.seed,
        sampling=sampling_of(parameters),
        user_key=port.opaque("user", generation.user_id),
        cache_key=port.opaque("conversation", message.conversation_id),
        weight=terms.weight,
        running_limit=terms.running_limit,
        estimate=generation.reserved,
        strikes=generation.strikes,
        rules=rules,
        hold_back=HOLD_BACK if rules else 0,
        title=titles.is_wanted(message),
    )


# --- stopping ---------------------------------------------------------------------------------------------


def stop(*, user: User, message_id: UUID) -> None:
    """A person's stop. A reply that has ended already is left as it is."""
    message = message_for(user, message_id)
    generation = Generation.objects.live().filter(message=message).first()
    if generation is not None:
        request_stop(generation)


def request_stop(generation: Generation) -> None:
    """Rule 10: the wish in the row first, then Redis; reconcile repeats what Redis missed.

    With a full disk the row cannot take it: then Redis alone is told, which ends the reply all the same.
    """
    row = Generation.objects.live().filter(pk=generation.pk, stop_requested_at=None)
    write_if_room(lambda: row.update(stop_requested_at=Now()))
    pk, attempt = generation.pk, generation.attempt

    def tell() -> None:
        try:
            port.stop(pk, attempt)
        except port.UNAVAILABLE as error:
            logger.warning("stop of %s waits for reconcile: %s", pk, error, extra={"generation": str(pk)})

    transaction.on_commit(tell, robust=True)


def stop_all(**which: Any) -> None:
    """Every live reply of a conversation or a user: before a deletion, at a suspension."""
    for generation in Generation.objects.live().filter(**which):
        request_stop(generation)


# --- settling ---------------------------------------------------------------------------------------------


def finish(generation_id: UUID, attempt: int) -> bool:
    """A worker, a stop or reconcile says that the log has its end. True if this call settled the row."""
    log = port.read(generation_id)
    settled = log.end is not None and settle(generation_id, attempt, log)
    if settled:
        _report(generation_id)
    if not Generation.objects.live().filter(pk=generation_id).exists():
        port.settled(generation_id)  # also when somebody else settled it, or the row is gone with its user
    return settled


def _report(generation_id: UUID) -> None:
    """The line in the log and the figures of a settled reply. Numbers, ids and codes: never its text."""
    row = Generation.objects.filter(pk=generation_id).values(*REPORTED).first()
    if row is None:
        return  # deleted at this very moment
    logger.info("reply settled", extra={"generation": str(generation_id), **row})
    port.count_reply(
        row["model"],
        row["status"],
        Times.of(
            queued_ms=row["queued_ms"],
            first_ms=row["first_token_ms"],
            whole_ms=row["whole_ms"],
            prompt_tokens=row["prompt_tokens"],
            tokens=row["completion_tokens"],
        ),
    )


@transaction.atomic
def settle(generation_id: UUID, attempt: int, log: Log) -> bool:
    """Text, status, usage and quota in one transaction; only the current attempt of a live row wins, once."""
    assert log.end is not None
    status = STATUS_OF[log.end.reason]
    body = log.end.body
    won = (
        Generation.objects.live()
        .filter(pk=generation_id, attempt=attempt)
        .update(
            status=status,
            finished_at=Now(),
            prompt_tokens=log.end.prompt_tokens,
            completion_tokens=log.seq,
            prefill_ms=int(body.get("prefill_ms", 0)),
            decode_ms=int(body.get("decode_ms", 0)),
            queued_ms=log.end.queued_ms,
            first_token_ms=log.end.first_ms,
            whole_ms=log.end.whole_ms,
            reason=log.end.reason,
            error=log.end.error[:64],
            fingerprint=str(body.get("fingerprint", ""))[:120],
        )
    )
    if won == 0:
        return False
    # After what it continues. NUL cannot be stored in PostgreSQL; a model can print it.
    Message.objects.filter(generation__pk=generation_id).update(
        text=Concat("text", Value(log.text.replace("\x00", "\ufffd"), TextField())),
        status=MessageStatus(status),
    )
    _charge(generation_id, status, log)
    return True


def _charge(generation_id: UUID, status: Status, log: Log) -> None:
    """Counts the tokens of a reply against its person's day; a reply that failed costs nothing.

    Every failure is on the service's side (no memory, a dead worker, nobody ran the model) or came before the
    first step (too long). What was shown of the reply stays, and the reservation is released in full.
    """
    assert log.end is not None
    prompt, completion = log.end.prompt_tokens, log.seq
    if status == Status.FAILED:
        prompt = completion = 0
    quotas.settle(generation_id=generation_id, prompt_tokens=prompt, completion_tokens=completion)


# --- words ------------------------------------------------------------------------------------------------


def words_for(reason: str, error: str) -> str:
    """Why a reply ended without being complete, for the reader; workers send codes only."""
    if reason == Reason.REFUSED:
        return moderation.reply_words(error)
    if reason != Reason.FAILED:
        return ""
    words: dict[str, str] = {
        ErrorCode.TOO_LONG: _("Your message is too long for this model. Please shorten it."),
        ErrorCode.POISON: _(
            "The model's process died twice while it worked on this reply, so it was given up."
        ),
        ErrorCode.NO_WORKER: _(
            "The model is not running. Please tell your administrator, or try again later."
        ),
        ErrorCode.NAN: _("The model computed something that is not a number. Please ask again."),
        ErrorCode.OUT_OF_MEMORY: _("The model ran out of memory. A shorter conversation may work."),
    }
    return words.get(error, _("The model failed on this reply. Please ask again."))


class Unavailable(ChatError):
    """Redis does not answer a question that only it can answer."""

    code, http_status = "unavailable", 503
