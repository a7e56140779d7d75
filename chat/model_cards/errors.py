"""Errors about models: none is there, or staff retired it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from chat.core.errors import ChatError


class Unavailable(ChatError):
    """No worker has ever announced a model to this database, so nothing can answer."""

    code, http_status = "unavailable", 503

    def __init__(self, **extra: Any) -> None:
        super().__init__(_("No model is installed here yet. Please tell whoever runs this service."), **extra)


class ModelRetired(ChatError):
    """Raised when staff retired `model`. `successor` is the serialized model that can continue its chats, or
    None.
    """

    code, http_status = "model_retired", 409

    def __init__(self, slug: str, name: str, successor: dict[str, Any] | None) -> None:
        words = (
            _("%(name)s is retired. %(successor)s can continue this chat.")
            if successor
            else _("%(name)s is retired, and no other model can continue this chat at the moment.")
        )
        names = {"name": name, "successor": successor["name"] if successor else ""}
        super().__init__(words % names, model=slug, successor=successor)
