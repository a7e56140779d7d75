from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class TurnsConfig(AppConfig):
    name = "chat.turns"
    verbose_name = _("Replies")

    def ready(self) -> None:
        from chat.turns import checks, receivers  # noqa: F401
