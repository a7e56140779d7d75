"""A turn is stored once, however often a page sends the frame that asks for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import DatabaseError
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.models import Conversation, Message
from chat.core.errors import BadInput, Busy, ChatError
from chat.core.storage import check_room
from chat.turns.columns import client_id_beside
from chat.turns.models import Generation
from chat.turns.settlement import settle_if_ended

CLIENT_ID_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Turn:
    """Holds the rows that a send, a regenerate or a continue stored."""

    generation: Generation
    messages: list[Message]  # the question (if new) and the live replies
    is_new: bool  # False: the same client_id had stored it before
    beside: Generation | None = None  # the answer of a second model

    @property
    def generations(self) -> list[Generation]:
        return [self.generation, self.beside] if self.beside else [self.generation]

    @property
    def conversation(self) -> Conversation:
        return self.generation.message.conversation


def check_client_id(client_id: str) -> None:
    """Raises BadInput."""
    if not client_id or len(client_id) > CLIENT_ID_LENGTH or not client_id.isprintable():
        raise BadInput(_("client_id must have 1 to 64 printable characters."))


def store_once(user: User, client_id: str, store: Callable[[], Turn], *, after: UUID | None) -> Turn:
    """Runs `store`, which is one transaction, and returns its turn; if it fails and a turn with this
    client_id was stored before, returns that turn.

    `store` fails for a repeated client_id by the row's unique constraint, or earlier for another reason: a
    quota that is used up by then, a database that takes no writes.

    `after` is the answer that must be complete. The page learns of its end from the log, a moment before the
    row is settled: then the row is settled here, and `store` runs a second time.
    """
    check_client_id(client_id)
    try:
        check_room()
        try:
            return store()
        except Busy:
            if after is None or not _may_try_again(user, client_id, after):
                raise
            return store()
    except (ChatError, DatabaseError):
        turn = _stored_before(user, client_id)
        if turn is None:
            raise
        return turn


def _may_try_again(user: User, client_id: str, after: UUID) -> bool:
    return not _is_stored(user, client_id) and settle_if_ended(after)


def _is_stored(user: User, client_id: str) -> bool:
    return Generation.objects.filter(user=user, client_id=client_id, step=0).exists()


def _stored_before(user: User, client_id: str) -> Turn | None:
    generation = _first_step(user, client_id)
    if generation is None:
        return None
    beside = _first_step(user, client_id_beside(client_id)) if generation.parameters.column else None
    question = generation.message.parent
    answers = [generation.message, beside.message] if beside else [generation.message]
    return Turn(generation, [question, *answers] if question else answers, is_new=False, beside=beside)


def _first_step(user: User, client_id: str) -> Generation | None:
    stored = Generation.objects.filter(user=user, client_id=client_id, step=0)
    return stored.select_related("message__conversation__model", "message__parent").first()
