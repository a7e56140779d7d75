"""Quotas show today's usage on pages of the apps to the left."""

from django.apps import AppConfig


class QuotasConfig(AppConfig):
    name = "chat.quotas"

    def ready(self) -> None:
        from chat.accounts.views import SETTINGS_EXTRAS
        from chat.conversations.views import PAGE_EXTRAS
        from chat.quotas.api import page_usage

        SETTINGS_EXTRAS.append(page_usage)
        PAGE_EXTRAS.append(page_usage)
