from typing import Any, cast

from django.apps import AppConfig
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _


class PersonasConfig(AppConfig):
    name = "chat.personas"
    verbose_name = _("Personas and instructions")

    def ready(self) -> None:
        from chat.accounts.models import User
        from chat.conversations.hooks import conversation_details, page_details
        from chat.personas import services

        def page_data(request: HttpRequest) -> dict[str, Any]:
            return {"personas": services.page_json(cast(User, request.user))}

        page_details.register(page_data)
        conversation_details.register(services.conversation_settings_json)
