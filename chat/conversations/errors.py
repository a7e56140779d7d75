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
