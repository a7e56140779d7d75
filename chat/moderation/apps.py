from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ModerationConfig(AppConfig):
    name = "chat.moderation"
    verbose_name = _("Moderation")

    def ready(self) -> None:
        from chat.core.entry_points import register_checker
        from chat.moderation.blocking import check_texts

        register_checker(check_texts)
