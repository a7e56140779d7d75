"""Routes the websocket: exact Origin, session, one consumer."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.conf import settings
from django.urls import re_path

from chat.core.addresses import KnownOrigins
from chat.turns.consumers import ChatConsumer


async def nowhere(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Closes any other websocket address, without a traceback in the log."""
    await send({"type": "websocket.close", "code": 4404})


routes = URLRouter(
    [
        re_path(r"^ws/$", AuthMiddlewareStack(ChatConsumer.as_asgi())),
        re_path(r"", nowhere),  # type: ignore[arg-type]
    ]
)
websocket = KnownOrigins(routes, settings.SITE_URLS)
