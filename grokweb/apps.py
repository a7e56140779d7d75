"""The project as an app: it carries `manage.py up` and loads Celery so that tasks can be sent."""

from django.apps import AppConfig


class GrokwebConfig(AppConfig):
    name = "grokweb"

    def ready(self) -> None:
        from grokweb import celery  # noqa: F401
