"""Tells which models see images, and says so where one does not."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.core.errors import BadInput
from chat.model_cards.access import models_for
from chat.model_cards.capabilities import capabilities_of
from chat.model_cards.models import ModelCard

MOST_NAMED = 5


def models_that_see(user: User) -> list[ModelCard]:
    """Lists the models that a person may choose and that accept images."""
    return [card for card in models_for(user) if capabilities_of(card).images]


def check_somebody_sees(user: User) -> None:
    """Raises BadInput if no model that a person may choose accepts images."""
    if not models_that_see(user):
        raise BadInput(_("No model here can see images, so they cannot be attached."))


def check_sees(model: ModelCard, user: User) -> None:
    """Raises BadInput, which names the models that accept images, if this one does not."""
    if not capabilities_of(model).images:
        raise BadInput(blind_words(model, models_that_see(user)))


def blind_words(model: ModelCard, seeing: Sequence[ModelCard]) -> str:
    if not seeing:
        return _("%(model)s cannot see images, and no other model here can.") % {"model": model.shown_name}
    names = ", ".join(card.shown_name for card in seeing[:MOST_NAMED])
    return _("%(model)s cannot see images. These models can: %(names)s.") % {
        "model": model.shown_name,
        "names": names,
    }
