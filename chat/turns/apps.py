from django.apps import AppConfig


class TurnsConfig(AppConfig):
    name = "chat.turns"

    def ready(self) -> None:
        from chat.turns import checks, receivers  # noqa: F401
