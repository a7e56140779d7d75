"""Options of a conversation that its first message makes, parsed from `start` of the send frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from chat.accounts.models import User
from chat.conversations.lifecycle import create_conversation
from chat.conversations.models import Conversation
from chat.core.errors import BadInput
from chat.model_cards.access import model_for
from chat.model_cards.selection import default_model
from chat.personas import services as personas
from chat.personas.models import ConversationSettings
from chat.personas.new_chats import usual_persona

SETTINGS = {"persona", "settings"}
NAMES = {"model", "temporary", *SETTINGS}


@dataclass(frozen=True, slots=True)
class NewConversation:
    """Fields left unset: the owner's model and persona of new chats, else the model's default persona, the
    usual settings, and it stays."""

    model: str | None = None
    temporary: bool = False
    settings: dict[str, Any] = field(
        default_factory=dict
    )  # for personas.parse_conversation_settings, which checks them

    @classmethod
    def parse(cls, start: object) -> NewConversation:
        """Raises BadInput, also for unknown names."""
        if start is None:
            return cls()
        if not isinstance(start, dict) or set(start) - NAMES:
            raise BadInput(_("`start` may hold %(names)s.") % {"names": ", ".join(sorted(NAMES))})
        if not isinstance(start.get("temporary", False), bool):
            raise BadInput(_("`temporary` is true or false."))
        settings = {name: start[name] for name in SETTINGS if name in start}
        return cls(start.get("model"), start.get("temporary", False), settings)

    def create(self, owner: User, first_message: str) -> tuple[Conversation, ConversationSettings]:
        """Stores the conversation and returns it with its settings. Raises ChatErrors."""
        model = default_model(owner) if self.model is None else model_for(self.model, owner)
        conversation = create_conversation(
            owner=owner, model=model, first_message=first_message, temporary=self.temporary
        )
        choices = personas.parse_conversation_settings(owner, self.settings)
        if "persona" not in choices and (usual := usual_persona(owner, model)):
            choices["persona"] = usual
        if not choices:
            return conversation, ConversationSettings(conversation=conversation)
        personas.set_conversation_settings(conversation, **choices)
        return conversation, ConversationSettings(conversation=conversation, **choices)
