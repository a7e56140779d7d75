"""Opens the websocket that a browser tab has, inside the test process."""

from __future__ import annotations

import json
from typing import Any

from channels.testing import WebsocketCommunicator
from django.test import Client

from grokweb.asgi import application

WAIT = 10.0


class Tab:
    """Drives the websocket of one browser tab, as JSON."""

    def __init__(self, cookie: str, origin: str) -> None:
        headers = [(b"origin", origin.encode()), (b"cookie", cookie.encode()), (b"accept-language", b"en")]
        self.socket = WebsocketCommunicator(application, "/ws/", headers=headers)
        self.first: dict[str, Any] = {}
        self.hears_models = False  # a worker that starts meanwhile is news for every tab

    async def open(self) -> dict[str, Any]:
        connected, code = await self.socket.connect(timeout=WAIT)
        assert connected, code
        return await self.next()

    async def say(self, **frame: Any) -> None:
        await self.socket.send_to(text_data=json.dumps(frame))

    async def next(self) -> dict[str, Any]:
        """Returns the next frame, or {"type": "close", "code": code}."""
        output = await self.socket.receive_output(timeout=WAIT)
        if output["type"] == "websocket.close":
            return {"type": "close", "code": output["code"]}
        frame: dict[str, Any] = json.loads(output["text"])
        return await self.next() if frame["type"] == "models" and not self.hears_models else frame

    async def until(self, kind: str) -> dict[str, Any]:
        while True:
            frame = await self.next()
            if frame["type"] == kind:
                return frame
            assert frame["type"] not in {"error", "close"}, frame

    async def until_error(self) -> dict[str, Any]:
        while (frame := await self.next())["type"] != "error":
            assert frame["type"] != "close", frame
        return frame

    async def reply(self) -> tuple[str, dict[str, Any]]:
        """Returns the text of a reply as a page assembles it, every number once, and its `done`."""
        text, seq = "", 0
        while True:
            frame = await self.next()
            if frame["type"] == "token":
                assert frame["after"] == seq, (frame, seq)
                text, seq = text + frame["text"], frame["seq"]
            elif frame["type"] == "done":
                return text, frame
            else:
                # News of the conversation may come late, in between: a persona chosen just before, say.
                # `missed` asks the page to read again, also where events came in the other order.
                assert frame["type"] in {
                    "queued",
                    "ack",
                    "message",
                    "conversation",
                    "conversation_settings",
                    "missed",
                }, frame


def cookie_of(client: Client) -> str:
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
