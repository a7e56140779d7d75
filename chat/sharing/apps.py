from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from chat.conversations.models import Conversation


class SharingConfig(AppConfig):
    name = "chat.sharing"
    verbose_name = _("Sharing")

    def ready(self) -> None:
        from chat.conversations.hooks import conversation_details
        from chat.sharing import receivers  # noqa: F401 - connects them

        conversation_details.register(shares)


def shares(conversation: "Conversation") -> dict[str, Any]:
    """Returns the shares of a conversation for the owner's page and /api/conversations/<id>/."""
    from chat.sharing import takedowns
    from chat.sharing.links import open_shares, share_json

    bound = takedowns.in_force(conversation)
    return {
        "shares": [share_json(share) for share in open_shares(conversation)],
        "taken_down": takedowns.words(bound) if bound else None,
    }
