"""How a conversation begins: `start` of the frame that sends its first message."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations import services as conversations
from chat.conversations.models import Conversation
from chat.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class Start:
    """None: the site's default model."""

    model: str | None = None

    @classmethod
    def of(cls, told: object) -> Start:
        if told is None:
            return cls()
        if not isinstance(told, dict) or set(told) - {"model"}:
            raise BadInput(_("`start` may hold %(names)s.") % {"names": "model"})
        return cls(**told)

    def conversation(self, owner: User, title: str) -> Conversation:
        model = conversations.default_model() if self.model is None else conversations.model_for(self.model)
        return conversations.new_conversation(owner=owner, model=model, title=title)
