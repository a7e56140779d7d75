from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PushConfig(AppConfig):
    name = "chat.push"
    verbose_name = _("Notifications")

    def ready(self) -> None:
        from chat.accounts.hooks import settings_details
        from chat.conversations.hooks import page_details
        from chat.push import pages, receivers  # noqa: F401 - connects them

        settings_details.register(pages.settings_details)
        page_details.register(pages.page_details)
