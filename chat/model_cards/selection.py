"""Selects the model of new chats, and the one that follows a retired model.

A new chat gets the first of these that its owner may use and that is neither hidden, retired nor withdrawn:

1. the person's own choice (PreferredModel), or the nearest of its successors;
2. the staff's choice (`is_default`), which no announcement changes;
3. the configured model (the default of `models.toml`, GROKWEB_MODEL, or the first table of `models.toml`),
   if a worker of it was seen within SEEN_FOR, or `manage.py up` is starting one;
4. another model that was seen within SEEN_FOR: real ones before demo models, then the one that has been
   there longest.

If none was seen within SEEN_FOR, the last time at which one was seen counts instead of now: the restart of a
worker moves no new chats, however long it takes. Where nobody ever ran a model, it is the configured one. The
page says that it is not running.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.db.models import F, QuerySet, Subquery
from django.utils import timezone

from chat.accounts.models import User
from chat.model_cards.errors import Unavailable
from chat.model_cards.models import ModelCard, PreferredModel
from inference.base.model_list import state

SEEN_FOR = timedelta(minutes=10)
STARTING_SECONDS = 15 * 60  # a model worker of `up` that was not seen by then is not waited for


class Rule(StrEnum):
    """Lists the reasons for which a model is that of new chats."""

    PERSON = "person"
    STAFF = "staff"
    CONFIGURED = "configured"
    STARTING = "starting"
    SEEN = "seen"
    NONE_SEEN = "none_seen"


@dataclass(frozen=True, slots=True)
class Choice:
    """Holds the model of new chats and the rule that selected it."""

    card: ModelCard
    rule: Rule


def offered(user: User | None = None) -> QuerySet[ModelCard]:
    """Returns the models that this person may choose without looking for hidden ones; None: everybody."""
    cards = ModelCard.objects.known_to(user)
    return cards.filter(is_hidden=False, is_retired=False, is_withdrawn=False)


def choose_for_new_chats(user: User | None = None) -> Choice | None:
    """Returns the model of a person's new chat and the rule that chose it; None while none can be offered.

    Without a person, the answer is true for everybody who belongs to no group.
    """
    # Read with the cards: this is asked with the first question of each chat.
    preferred = PreferredModel.objects.filter(user=user).values("model")
    found = offered(user).annotate(preferred=Subquery(preferred))
    cards = list(found.order_by("is_demo", F("seen_since").asc(nulls_last=True), "slug"))
    own = _preferred(cards)
    return Choice(own, Rule.PERSON) if own else next(_candidates(cards, timezone.now() - SEEN_FOR), None)


def _preferred(cards: Sequence[ModelCard]) -> ModelCard | None:
    """Returns the model that a person prefers for new chats, or the nearest successor among `cards`, which
    have its slug."""
    slug = cards[0].preferred if cards else None  # type: ignore[attr-defined]
    if slug is None:
        return None
    known = {card.slug: card for card in cards}
    return known.get(slug) or _nearest(ModelCard.objects.get(slug=slug), known)


def _candidates(cards: Sequence[ModelCard], since: datetime) -> Iterator[Choice]:
    configured = [card for card in cards if card.slug == configured_slug()]
    seen = {card.slug for card in cards if card.last_seen_at and card.last_seen_at >= since}
    yield from (Choice(card, Rule.STAFF) for card in cards if card.is_default)
    yield from (Choice(card, Rule.CONFIGURED) for card in configured if card.slug in seen)
    if is_starting():
        yield from (Choice(card, Rule.STARTING) for card in configured)
    yield from (Choice(card, Rule.SEEN) for card in cards if card.slug in seen)
    last = max((card.last_seen_at for card in cards if card.last_seen_at), default=since)
    then = [card for card in cards if card.last_seen_at and card.last_seen_at >= last - SEEN_FOR]
    fallbacks = [card for card in configured if card in then] + then + configured + list(cards)
    yield from (Choice(card, Rule.NONE_SEEN) for card in fallbacks)


def default_model(user: User | None = None) -> ModelCard:
    """Returns the model of a person's new chat, or of everybody's. Raises Unavailable if there is none."""
    choice = choose_for_new_chats(user)
    if choice is None:
        raise Unavailable
    return choice.card


def configured_slug() -> str:
    """Returns the slug of the configured model, which `manage.py up` publishes where it runs."""
    service = state.published(settings.RUN_DIR)
    return service.default if service and service.default else str(settings.MODEL_SLUG)


def is_starting(slug: str = "") -> bool:
    """Returns whether `manage.py up` added the worker of a model so recently that it may still be loading.

    Without a slug, the configured model is meant.
    """
    service = state.published(settings.RUN_DIR)
    if service is None:
        return not slug and time.time() - float(settings.MODEL_WORKER_SINCE) < STARTING_SECONDS
    worker = service.models.get(slug or configured_slug())
    loads = worker is not None and worker.step in (state.Step.STARTED, state.Step.RESTARTING)
    return worker is not None and loads and time.time() - worker.since < STARTING_SECONDS


def successor_of(card: ModelCard, user: User) -> ModelCard | None:
    """Returns the model that can continue a person's chats of a model that answers them no more: the nearest
    of its successors that they may choose, else the model of their new chats, else None."""
    known = {each.slug: each for each in offered(user) if each.slug != card.slug}
    successor = _nearest(card, known)
    if successor is None:
        choice = choose_for_new_chats(user)
        successor = choice.card if choice else None
    return successor


def _nearest(card: ModelCard, known: dict[str, ModelCard]) -> ModelCard | None:
    """Returns the first of a model and its successors that is in `known`; None without any."""
    met: set[str] = set()
    nearest: ModelCard | None = card
    while nearest is not None and nearest.slug not in met:
        if nearest.slug in known:
            return nearest
        met.add(nearest.slug)
        nearest = nearest.successor
    return None
