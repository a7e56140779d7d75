"""Model cards: which model a new chat gets and why, who may choose which, and what follows a retired one.

A new chat gets the first of these that is neither hidden nor retired:

1. the staff's choice (`is_default`), which no announcement changes;
2. the configured model (GROKWEB_MODEL), if a worker of it was seen within SEEN_FOR, or `manage.py up` is
   starting one;
3. another model that was seen within SEEN_FOR: real ones before demo models, then the one that has been
   there longest.

If none was seen within SEEN_FOR, the last time at which one was seen counts instead of now: the restart of a
worker moves no new chats, however long it takes. Where nobody ever ran a model, it is the configured one. The
page says that it is not running.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.errors import ModelRetired, Unavailable
from chat.conversations.models import ModelCard
from chat.core.errors import BadInput

SEEN_FOR = timedelta(minutes=10)
SEEN_EVERY = timedelta(minutes=1)  # how often `last_seen_at` is written
STARTING_SECONDS = 15 * 60  # a model worker of `up` that was not seen by then is not waited for


class Rule(StrEnum):
    """Lists the reasons for which a model is that of new chats."""

    STAFF = "staff"
    CONFIGURED = "configured"
    STARTING = "starting"
    SEEN = "seen"
    NONE_SEEN = "none_seen"


@dataclass(frozen=True, slots=True)
class Choice:
    card: ModelCard
    rule: Rule


# --- The model of a new chat ------------------------------------------------------------------------------


def choose_for_new_chats() -> Choice | None:
    """Returns the model of a new chat and the rule that chose it; None while no model can be offered."""
    cards = list(_offered().order_by("is_demo", F("seen_since").asc(nulls_last=True), "slug"))
    return next(_candidates(cards, timezone.now() - SEEN_FOR), None)


def _candidates(cards: list[ModelCard], since: datetime) -> Iterator[Choice]:
    configured = [card for card in cards if card.slug == configured_slug()]
    seen = {card.slug for card in cards if card.last_seen_at and card.last_seen_at >= since}
    yield from (Choice(card, Rule.STAFF) for card in cards if card.is_default)
    yield from (Choice(card, Rule.CONFIGURED) for card in configured if card.slug in seen)
    if is_starting():
        yield from (Choice(card, Rule.STARTING) for card in configured)
    yield from (Choice(card, Rule.SEEN) for card in cards if card.slug in seen)
    last = max((card.last_seen_at for card in cards if card.last_seen_at), default=since)
    then = [card for card in cards if card.last_seen_at and card.last_seen_at >= last - SEEN_FOR]
    fallbacks = [card for card in configured if card in then] + then + configured + cards
    yield from (Choice(card, Rule.NONE_SEEN) for card in fallbacks)


def default_model() -> ModelCard:
    """Returns the model of a new chat. Raises Unavailable if there is none."""
    choice = choose_for_new_chats()
    if choice is None:
        raise Unavailable
    return choice.card


def configured_slug() -> str:
    return str(settings.MODEL_SLUG)


def is_starting() -> bool:
    """Returns whether `manage.py up` started a model worker here so recently that it may still be loading."""
    return time.time() - float(settings.MODEL_WORKER_SINCE) < STARTING_SECONDS


# --- Who may choose which ---------------------------------------------------------------------------------


def _offered() -> QuerySet[ModelCard]:
    return ModelCard.objects.filter(is_hidden=False, is_retired=False)


def models_for(user: User) -> list[ModelCard]:
    """Lists the models a person may choose, the one of new chats first. Staff also see hidden ones."""
    choice = choose_for_new_chats()
    first = choice.card.slug if choice else ""
    cards = ModelCard.objects.filter(is_retired=False) if user.is_staff else _offered()
    return sorted(cards, key=lambda card: (card.slug != first, card.name))


def model_for(slug: object, user: User) -> ModelCard:
    """Returns a model that this person may choose. A hidden one looks like one that does not exist."""
    card = ModelCard.objects.filter(slug=slug).first() if isinstance(slug, str) else None
    if card is None or (card.is_hidden and not user.is_staff):
        raise BadInput(_("There is no such model."))
    check_not_retired(card)
    return card


def check_not_retired(card: ModelCard) -> None:
    """Raises ModelRetired, which names the model that can continue."""
    if card.is_retired:
        following = successor_of(card)
        raise ModelRetired(card.slug, card.name, model_json(following) if following else None)


def successor_of(card: ModelCard) -> ModelCard | None:
    """Returns the model that can continue the chats of a retired one: the nearest of its successors that is
    offered, else the model of new chats, else None."""
    met = {card.slug}
    following = card.successor
    while following is not None and following.slug not in met:
        if not following.is_retired and not following.is_hidden:
            return following
        met.add(following.slug)
        following = following.successor
    choice = choose_for_new_chats()
    return choice.card if choice else None


# --- Written ----------------------------------------------------------------------------------------------


def announce_model(*, slug: str, name: str, about: str, context_tokens: int, is_demo: bool) -> ModelCard:
    """Stores what a worker says of its model, if it is new; what staff chose stays."""
    announced = {"name": name, "about": about, "context_tokens": context_tokens, "is_demo": is_demo}
    card = ModelCard.objects.filter(slug=slug).first()
    if card is None or any(getattr(card, field) != value for field, value in announced.items()):
        card, _created = ModelCard.objects.update_or_create(slug=slug, defaults=announced)
    return card


def note_seen(card: ModelCard) -> None:
    """Stores that a worker of this model lives now, once in SEEN_EVERY. After a gap of SEEN_FOR `seen_since`
    begins again."""
    away = timezone.now() - card.last_seen_at if card.last_seen_at else SEEN_FOR
    if away < SEEN_EVERY:
        return
    times: dict[str, Any] = {"last_seen_at": Now()}
    if away >= SEEN_FOR or card.seen_since is None:
        times["seen_since"] = Now()
    ModelCard.objects.filter(pk=card.pk).update(**times)


def are_others_offered(card: ModelCard) -> bool:
    """Returns whether people could choose another model. In a transaction, others who withdraw one wait."""
    cards = ModelCard.objects.order_by("slug")
    if transaction.get_connection().in_atomic_block:
        cards = cards.select_for_update()
    return any(not (each.is_hidden or each.is_retired) for each in cards if each.pk != card.pk)


@transaction.atomic
def make_default(card: ModelCard) -> None:
    """Makes it the staff's choice, and no other."""
    list(
        ModelCard.objects.select_for_update().order_by("slug")
    )  # two who choose at once, one after the other
    ModelCard.objects.exclude(pk=card.pk).filter(is_default=True).update(is_default=False)
    ModelCard.objects.filter(pk=card.pk).update(is_default=True)


# --- As JSON (docs/protocol.md) ---------------------------------------------------------------------------


def model_json(card: ModelCard) -> dict[str, Any]:
    return {
        "slug": card.slug,
        "name": card.name,
        "about": card.about,
        "is_demo": card.is_demo,
        "context_tokens": card.context_tokens,
        "hidden": card.is_hidden,
    }


def conversation_model_json(card: ModelCard) -> dict[str, Any]:
    """Returns `model_json` of an open conversation's model, with its successor if it is retired."""
    following = successor_of(card) if card.is_retired else None
    return {
        **model_json(card),
        "retired": card.is_retired,
        "successor": model_json(following) if following else None,
    }
