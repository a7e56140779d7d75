"""Errors about models: none is there, or one answers this person no more."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from chat.core.errors import ChatError
from chat.model_cards.models import ModelCard


class Unavailable(ChatError):
    """No worker has ever announced a model to this database, so nothing can answer."""

    code, http_status = "unavailable", 503

    def __init__(self, **extra: Any) -> None:
        super().__init__(_("No model is installed here yet. Please tell whoever runs this service."), **extra)


class ModelRetired(ChatError):
    """Raised when staff retired a model, or gave it to groups that the person does not belong to.

    `successor` is the serialized model that can continue its chats, or None.
    """

    code, http_status = "model_retired", 409

    def __init__(self, card: ModelCard, successor: dict[str, Any] | None) -> None:
        names = {"name": card.shown_name, "successor": successor["name"] if successor else ""}
        words = _words(card.is_retired, bool(successor)) % names
        super().__init__(words, model=card.slug, successor=successor, limited=not card.is_retired)


def _words(is_retired: bool, has_successor: bool) -> str:
    if is_retired and has_successor:
        return _("%(name)s is retired. %(successor)s can continue this chat.")
    if is_retired:
        return _("%(name)s is retired, and no other model can continue this chat at the moment.")
    if has_successor:
        return _("You can no longer use %(name)s. %(successor)s can continue this chat.")
    return _("You can no longer use %(name)s, and no other model can continue this chat at the moment.")
