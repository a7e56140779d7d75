"""Quotas show today's usage on pages of the apps to the left."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class QuotasConfig(AppConfig):
    name = "chat.quotas"
    verbose_name = _("Quotas")

    def ready(self) -> None:
        from chat.accounts.groups import DELETION_NOTES
        from chat.accounts.views import SETTINGS_EXTRAS
        from chat.conversations.views import PAGE_EXTRAS
        from chat.quotas.api import page_usage
        from chat.quotas.effects import of_deleted_group

        SETTINGS_EXTRAS.append(page_usage)
        PAGE_EXTRAS.append(page_usage)
        DELETION_NOTES.append(of_deleted_group)
