"""Wraps the ASGI application: behind a proxy, and where a body does not fit on the disk."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from inference.base import disk_space

logger = logging.getLogger("grokweb.web")

NO_ROOM_BODY = b'{"error": {"code": "storage_full", "words": ""}}'

Application = Callable[..., Awaitable[None]]


def behind_proxy(application: Application) -> Application:
    """Returns the address that the proxy saw: the last of X-Forwarded-For, which no visitor can forge."""

    async def forwarded(scope: dict[str, Any], receive: Any, send: Any) -> None:
        for name, value in scope.get("headers", ()):
            if name == b"x-forwarded-for":
                scope["client"] = [value.decode("latin1").rsplit(",", 1)[-1].strip(), 0]
        await application(scope, receive, send)

    return forwarded


def with_room_for_bodies(application: Application) -> Application:
    """Answers `storage_full` if a body does not fit: Django copies it before its own error handling."""

    async def guarded(scope: dict[str, Any], receive: Any, send: Any) -> None:
        started = False

        async def watched(message: dict[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        try:
            await application(scope, receive, watched)
        except OSError as error:
            if started or not disk_space.is_unwritable(error):
                raise
            logger.warning("a body was refused, the disk of temporary files is full or read-only")
            headers = [(b"content-type", b"application/json")]
            await send({"type": "http.response.start", "status": 507, "headers": headers})
            await send({"type": "http.response.body", "body": NO_ROOM_BODY})

    return guarded
