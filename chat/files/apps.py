"""Registers the hooks and signals by which files join messages and decisions of earlier apps."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FilesConfig(AppConfig):
    name = "chat.files"
    verbose_name = _("Files")

    def ready(self) -> None:
        from chat.conversations.hooks import message_details, page_details
        from chat.files import hiding, receivers, serializers
        from chat.files.api import page_extra
        from chat.moderation import hooks

        message_details.register(serializers.load)
        page_details.register(page_extra)
        hooks.hide_images.register(hiding.hide_images)
        hooks.show_images.register(hiding.show_images)
        receivers.connect()
