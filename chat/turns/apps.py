from typing import cast

from django.apps import AppConfig
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _


class TurnsConfig(AppConfig):
    name = "chat.turns"
    verbose_name = _("Replies")

    def ready(self) -> None:
        from chat.accounts.models import User
        from chat.conversations.hooks import conversation_details, message_details, page_details
        from chat.turns import answer_differences, checks, event_numbers, receivers, steps, summaries  # noqa: F401
        from chat.turns.context_usage import context_usage

        def page_event_number(request: HttpRequest) -> dict[str, int]:
            return {"event_number": event_numbers.latest_of(cast(User, request.user).pk)}

        page_details.register(page_event_number)
        conversation_details.register(context_usage)
        message_details.register(steps.load)
        message_details.register(answer_differences.load)
        message_details.register(summaries.load)
