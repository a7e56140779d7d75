"""Transfer shows its part of the settings page, which belongs to an app to the left."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TransferConfig(AppConfig):
    name = "chat.transfer"
    verbose_name = _("Transfer")

    def ready(self) -> None:
        from chat.accounts.views import SETTINGS_EXTRAS
        from chat.transfer.views import settings_extra

        SETTINGS_EXTRAS.append(settings_extra)
