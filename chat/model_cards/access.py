"""Decides who may choose which model."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.core.errors import BadInput
from chat.model_cards.errors import ModelRetired
from chat.model_cards.models import ModelCard
from chat.model_cards.selection import choose_for_new_chats, offered, successor_of
from chat.model_cards.serializers import model_json


def models_for(user: User) -> list[ModelCard]:
    """Lists the models a person may choose, the one of new chats first. Staff also see hidden ones."""
    choice = choose_for_new_chats()
    first = choice.card.slug if choice else ""
    cards = ModelCard.objects.filter(is_retired=False) if user.is_staff else offered()
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
        successor = successor_of(card)
        raise ModelRetired(card.slug, card.name, model_json(successor) if successor else None)


def are_others_offered(card: ModelCard) -> bool:
    """Returns whether people could choose another model. In a transaction, it locks the models, so that two
    staff members cannot withdraw the last two at once."""
    cards = ModelCard.objects.order_by("slug")
    if transaction.get_connection().in_atomic_block:
        cards = cards.select_for_update()
    return any(not (each.is_hidden or each.is_retired) for each in cards if each.pk != card.pk)
