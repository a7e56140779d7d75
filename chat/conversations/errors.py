"""What only this room can say."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from chat.core.errors import ChatError


class Unavailable(ChatError):
    """Nothing can answer: no worker has ever announced a model to this database."""

    code, http_status = "unavailable", 503

    def __init__(self, **extra: Any) -> None:
        super().__init__(_("No model is installed here yet. Please tell whoever runs this service."), **extra)


class ModelRetired(ChatError):
    """Staff retired `model`; `successor` is the model that can continue its chats, or null."""

    code, http_status = "model_retired", 409

    def __init__(self, slug: str, name: str, successor: dict[str, Any] | None) -> None:
        words = (
            _("%(name)s is retired. %(successor)s can continue this chat.")
            if successor
            else _("%(name)s is retired, and no other model can continue this chat at the moment.")
        )
        names = {"name": name, "successor": successor["name"] if successor else ""}
        super().__init__(words % names, model=slug, successor=successor)
