from typing import cast

from django.apps import AppConfig
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _


class TurnsConfig(AppConfig):
    name = "chat.turns"
    verbose_name = _("Replies")

    def ready(self) -> None:
        from chat.accounts.models import User
        from chat.conversations.services import CONVERSATION_EXTRAS
        from chat.conversations.views import PAGE_EXTRAS
        from chat.turns import checks, news, receivers  # noqa: F401
        from chat.turns.budget import context_of

        def page_news(request: HttpRequest) -> dict[str, int]:
            return {"news": news.number(cast(User, request.user).pk)}

        PAGE_EXTRAS.append(page_news)
        CONVERSATION_EXTRAS.append(context_of)
