"""Decides who may choose which model."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.core.errors import BadInput
from chat.model_cards.errors import ModelRetired
from chat.model_cards.models import ModelCard
from chat.model_cards.selection import choose_for_new_chats, successor_of
from chat.model_cards.serializers import model_json


def models_for(user: User) -> list[ModelCard]:
    """Lists the models a person may choose, the one of new chats first. Staff also see hidden ones."""
    choice = choose_for_new_chats(user)
    first = choice.card.slug if choice else ""
    cards = ModelCard.objects.known_to(user).filter(is_retired=False, is_withdrawn=False)
    return sorted(cards, key=lambda card: (card.slug != first, card.shown_name))


def model_for(slug: object, user: User) -> ModelCard:
    """Returns a model that this person may choose. One that is hidden, or for groups that they do not belong
    to, looks like one that does not exist."""
    cards = ModelCard.objects.known_to(user)
    card = cards.filter(slug=slug).first() if isinstance(slug, str) else None
    if card is None:
        raise BadInput(_("There is no such model."))
    check_answers(card, user)
    return card


def answers(card: ModelCard, user: User) -> bool:
    """Returns whether a model answers new questions in a person's chats that have it: it is not retired, and
    no group has it for itself. A hidden one goes on."""
    if card.is_retired:
        return False
    return not card.is_limited or user.is_staff or card.groups.filter(user=user).exists()


def check_answers(card: ModelCard, user: User) -> None:
    """Raises ModelRetired, which names the model that can continue."""
    if not answers(card, user):
        successor = successor_of(card, user)
        raise ModelRetired(card, model_json(successor) if successor else None)


def conversation_model_json(card: ModelCard, user: User) -> dict[str, Any]:
    """Serializes an open conversation's model, with its successor if it answers this person no more."""
    is_open = answers(card, user)
    successor = None if is_open else successor_of(card, user)
    return {
        **model_json(card),
        "retired": not is_open,
        "limited": not is_open and not card.is_retired,
        "successor": model_json(successor) if successor else None,
    }


def are_others_offered(card: ModelCard) -> bool:
    """Returns whether everybody could choose another model. In a transaction, it locks the models, so that
    two staff members cannot withdraw the last two at once."""
    cards = ModelCard.objects.order_by("slug")
    if transaction.get_connection().in_atomic_block:
        cards = cards.select_for_update()
    return any(
        not (each.is_hidden or each.is_retired or each.is_withdrawn or each.is_limited)
        for each in cards
        if each.pk != card.pk
    )
