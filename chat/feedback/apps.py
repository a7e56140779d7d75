from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class FeedbackConfig(AppConfig):
    name = "chat.feedback"
    verbose_name = _("Feedback")

    def ready(self) -> None:
        from chat.conversations.hooks import message_details
        from chat.feedback import services

        message_details.register(services.load)
