"""The project as an app: `manage.py up`, Celery so that tasks can be sent, and figures of its own."""

from django.apps import AppConfig


class GrokwebConfig(AppConfig):
    name = "grokweb"

    def ready(self) -> None:
        from grokweb import celery, database_health, metrics, traces  # noqa: F401 - Celery's tasks can be sent then

        metrics.register()
        database_health.watch()
        traces.watch()
