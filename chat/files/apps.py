"""Files add themselves to messages, which belong to an app to the left, and go with them."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FilesConfig(AppConfig):
    name = "chat.files"
    verbose_name = _("Files")

    def ready(self) -> None:
        from chat.conversations.services import MESSAGE_EXTRAS
        from chat.conversations.views import PAGE_EXTRAS
        from chat.files import receivers, services
        from chat.files.api import page_extra

        MESSAGE_EXTRAS.append(services.load)
        PAGE_EXTRAS.append(page_extra)
        receivers.connect()
