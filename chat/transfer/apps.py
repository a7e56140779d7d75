"""Adds the part about transfer to the settings page, and imported calls of tools to answers; both belong to
earlier apps."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TransferConfig(AppConfig):
    name = "chat.transfer"
    verbose_name = _("Transfer")

    def ready(self) -> None:
        from chat.accounts.hooks import settings_details
        from chat.conversations.hooks import message_details
        from chat.transfer import calls
        from chat.transfer.views import settings_extra

        settings_details.register(settings_extra)
        message_details.register(calls.load)
