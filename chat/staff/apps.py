"""Admin pages over all apps, and the group of moderators."""

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class StaffConfig(AppConfig):
    name = "chat.staff"

    def ready(self) -> None:
        from chat.staff import groups, images, receivers  # noqa: F401 - connects

        # After sharing, the last of our apps with models: all permissions exist by then.
        post_migrate.connect(groups.make_moderators, sender=apps.get_app_config("sharing"))
