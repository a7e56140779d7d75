"""Writes what workers announce about their models, and which model staff made the default."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from chat.model_cards.models import ModelCard
from chat.model_cards.selection import SEEN_FOR, configured_slug
from inference.base.model_list import state

WITHDRAWN_AFTER = timedelta(days=2)  # as ANNOUNCED_SECONDS in inference/wire/queue.py
SEEN_EVERY = timedelta(minutes=1)  # how often `last_seen_at` is written


def announce_model(
    *,
    slug: str,
    name: str,
    about: str,
    context_tokens: int,
    is_demo: bool,
    sampling: Mapping[str, float] | None = None,
    capabilities: Mapping[str, Any] | None = None,
    licence: Mapping[str, str] | None = None,
) -> ModelCard:
    """Stores what a worker announces about its model, if it is new. What staff chose stays."""
    announced = {
        "name": name,
        "about": about,
        "context_tokens": context_tokens,
        "is_demo": is_demo,
        "sampling": dict(sampling or {}),
        "capabilities": dict(capabilities or {}),
        "licence": dict(licence or {}),
        "is_withdrawn": False,
    }
    card = ModelCard.objects.filter(slug=slug).first()
    if card is None or any(getattr(card, field) != value for field, value in announced.items()):
        card, _created = ModelCard.objects.update_or_create(slug=slug, defaults=announced)
    return card


def withdraw_model(slug: str) -> None:
    """Takes a model out of the menus until a worker announces it again. The staff's default stays there."""
    ModelCard.objects.filter(slug=slug, is_default=False).update(is_withdrawn=True)


def withdraw_unseen(announced: Collection[str]) -> None:
    """Withdraws models that are not `announced` (slugs) any more and that no worker ran for WITHDRAWN_AFTER.
    The configured model, the staff's default, and those that `manage.py up` here serves stay."""
    service = state.published(settings.RUN_DIR)
    expected = {*announced, configured_slug(), *(service.models if service else ())}
    unseen = ModelCard.objects.filter(is_withdrawn=False, last_seen_at__lt=Now() - WITHDRAWN_AFTER)
    slugs = list(unseen.filter(is_default=False).exclude(slug__in=expected).values_list("slug", flat=True))
    if slugs:  # reconcile asks every two seconds: an update would take SQLite's write lock each time
        ModelCard.objects.filter(slug__in=slugs).update(is_withdrawn=True)


def announced_context(slug: str) -> int | None:
    """Returns the context, in tokens, that a worker of this model announced last; None without a card."""
    return ModelCard.objects.filter(slug=slug).values_list("context_tokens", flat=True).first()


def note_seen(card: ModelCard) -> None:
    """Stores that a worker of this model lives now, at most once in SEEN_EVERY. `seen_since` starts again
    after a gap of SEEN_FOR."""
    away = timezone.now() - card.last_seen_at if card.last_seen_at else SEEN_FOR
    if away < SEEN_EVERY:
        return
    times: dict[str, Any] = {"last_seen_at": Now()}
    if away >= SEEN_FOR or card.seen_since is None:
        times["seen_since"] = Now()
    ModelCard.objects.filter(pk=card.pk).update(**times)


@transaction.atomic
def make_default(card: ModelCard) -> None:
    """Makes this model the staff's choice, and no other. Locks all cards, so that of two who choose at once
    the second waits."""
    list(ModelCard.objects.select_for_update().order_by("slug"))
    ModelCard.objects.exclude(pk=card.pk).filter(is_default=True).update(is_default=False)
    ModelCard.objects.filter(pk=card.pk).update(is_default=True)
