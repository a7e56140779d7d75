from typing import Any, cast

from django.apps import AppConfig
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _


class VoiceConfig(AppConfig):
    name = "chat.voice"
    verbose_name = _("Voice of the model")

    def ready(self) -> None:
        from chat.accounts.models import User
        from chat.conversations.services import CONVERSATION_EXTRAS
        from chat.conversations.views import PAGE_EXTRAS
        from chat.voice import services

        def page_voice(request: HttpRequest) -> dict[str, Any]:
            return {"voice": services.offers_json(cast(User, request.user))}

        PAGE_EXTRAS.append(page_voice)
        CONVERSATION_EXTRAS.append(services.manner_json)
