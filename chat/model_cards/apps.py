from typing import Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ModelCardsConfig(AppConfig):
    name = "chat.model_cards"
    verbose_name = _("Models")

    def default_model(self) -> Any:
        """Returns the card of the model of new chats, or None: for chat/core/context.py."""
        from chat.model_cards.selection import choose_for_new_chats

        choice = choose_for_new_chats()
        return choice.card if choice else None
