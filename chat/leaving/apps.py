from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LeavingConfig(AppConfig):
    name = "chat.leaving"
    verbose_name = _("Leaving")
