from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountDeletionConfig(AppConfig):
    name = "chat.account_deletion"
    verbose_name = _("Account deletion")
