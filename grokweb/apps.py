"""Makes the project a Django app: `manage.py up`, Celery so that tasks can be sent, and metrics."""

from django.apps import AppConfig


class GrokwebConfig(AppConfig):
    name = "grokweb"

    def ready(self) -> None:
        from chat.accounts import hooks
        from grokweb import celery, database_health, erasure, metrics  # noqa: F401 - Celery's tasks can be sent then
        from grokweb.first_setup import leading

        hooks.login_destination.register(leading.login_destination)
        metrics.register()
        database_health.watch()
        erasure.watch()
