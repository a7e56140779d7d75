"""Registers the hooks by which quotas show today's usage on pages of earlier apps."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class QuotasConfig(AppConfig):
    name = "chat.quotas"
    verbose_name = _("Quotas")

    def ready(self) -> None:
        from chat.accounts.hooks import group_deletion_notes, settings_details
        from chat.conversations.hooks import page_details
        from chat.quotas.api import page_usage
        from chat.quotas.effects import of_deleted_group

        settings_details.register(page_usage)
        page_details.register(page_usage)
        group_deletion_notes.register(of_deleted_group)
