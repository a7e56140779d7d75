"""How a conversation begins: `start` of the frame that sends its first message."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations import services as conversations
from chat.conversations.model_cards import default_model, model_for
from chat.conversations.models import Conversation
from chat.core.errors import BadInput
from chat.voice import services as voice

MANNER = {"persona", "settings"}
NAMES = {"model", "temporary", *MANNER}


@dataclass(frozen=True, slots=True)
class Start:
    """Without a word: the site's default model, answering as always, in a conversation that stays."""

    model: str | None = None
    temporary: bool = False
    manner: dict[str, Any] = field(
        default_factory=dict
    )  # what chat.voice.services.choose takes, not yet checked

    @classmethod
    def of(cls, told: object) -> Start:
        if told is None:
            return cls()
        if not isinstance(told, dict) or set(told) - NAMES:
            raise BadInput(_("`start` may hold %(names)s.") % {"names": ", ".join(sorted(NAMES))})
        if not isinstance(told.get("temporary", False), bool):
            raise BadInput(_("`temporary` is true or false."))
        manner = {name: told[name] for name in MANNER if name in told}
        return cls(told.get("model"), told.get("temporary", False), manner)

    def conversation(self, owner: User, first_message: str) -> Conversation:
        model = default_model() if self.model is None else model_for(self.model, owner)
        made = conversations.new_conversation(
            owner=owner, model=model, first_message=first_message, temporary=self.temporary
        )
        if self.manner:
            voice.begin_with(made, **voice.choices_of(owner, self.manner))
        return made
