from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "chat.accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        """Gives the table of django-allauth that the admin shows the words of the settings page."""
        second_factors = apps.get_app_config("mfa")
        second_factors.verbose_name = _("Two-step login")
        options = second_factors.get_model("authenticator")._meta
        options.verbose_name, options.verbose_name_plural = _("second factor"), _("second factors")
