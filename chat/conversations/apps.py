from typing import Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConversationsConfig(AppConfig):
    name = "chat.conversations"
    verbose_name = _("Conversations")

    def default_model(self) -> Any:
        """Returns the card of the model of new chats, or None: for chat/core/context.py."""
        from chat.conversations.model_cards import choose_for_new_chats

        choice = choose_for_new_chats()
        return choice.card if choice else None
