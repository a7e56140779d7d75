"""The web process: pages over HTTP, one websocket a tab. It never imports torch (tests/test_layers.py)."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "grokweb.settings")

from django.core.asgi import get_asgi_application

http = get_asgi_application()

from channels.routing import ProtocolTypeRouter

from chat.core.gate import HandshakeGate, HttpGate
from chat.turns.routing import websocket

application = ProtocolTypeRouter({"http": HttpGate(http), "websocket": HandshakeGate(websocket)})
