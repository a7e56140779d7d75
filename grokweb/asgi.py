"""Serves pages over HTTP and one websocket per tab. Never imports torch (tests/test_layers.py)."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "grokweb.settings")

from django.core.asgi import get_asgi_application

http = get_asgi_application()

from channels.routing import ProtocolTypeRouter

from chat.core.load_shedding import HandshakeLimiter, HttpLimiter
from chat.turns.routing import websocket

application = ProtocolTypeRouter({"http": HttpLimiter(http), "websocket": HandshakeLimiter(websocket)})
