"""A model worker inside the test process: real engine, writer and Redis; Celery is a thread pool.

The drills in tests/faults/ run the same with real Celery processes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.db import close_old_connections
from django.test import Client

from chat.turns import live, port, settlement, titles
from grokweb.asgi import application
from inference.contract import FINISH_TASK, TITLE_TASK
from inference.engines.scripted import ScriptedEngine
from inference.worker.app import Runtime

WAIT = 10.0


class InProcess:
    """Stands in for Celery and its workers, without processes."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="celery")
        self.runtime: Runtime | None = None
        self.titles_taken: list[UUID] = []
        self.may_take_titles = threading.Event()
        self.may_take_titles.set()
        self.may_finish = threading.Event()
        self.may_finish.set()

    def start_worker(self, slots: int = 4) -> Runtime:
        self.runtime = Runtime(ScriptedEngine(slots=slots), self.publish)
        self.slots = threading.Semaphore(slots)
        self.runtime.start()
        return self.runtime

    def ticket(self, model: str, count: int = 1) -> None:
        for _ in range(count):
            self.pool.submit(self._serve)

    def _serve(self) -> None:
        if self.runtime is not None:
            with self.slots:
                self.runtime.serve()

    def publish(self, task: str, args: list[Any]) -> None:
        if task == FINISH_TASK:
            self.pool.submit(self._finish, UUID(args[0]), args[1])
        elif task == TITLE_TASK:
            self.pool.submit(self._take_title, UUID(args[0]))

    def publish_finish(self, pk: UUID, attempt: int) -> None:
        self.publish(FINISH_TASK, [str(pk), attempt])

    def _finish(self, pk: UUID, attempt: int) -> None:
        try:
            self.may_finish.wait(3 * WAIT)
            settlement.finish(pk, attempt)
        finally:
            close_old_connections()

    def _take_title(self, pk: UUID) -> None:
        try:
            self.may_take_titles.wait(WAIT)
            titles.store_title(pk)
            self.titles_taken.append(pk)
        finally:
            close_old_connections()

    def close(self) -> None:
        self.may_finish.set()
        if self.runtime is not None:
            self.runtime.stopping.set()
            for held in self.runtime.writer.running():
                held.done.set()
            self.runtime.close()
        self.pool.shutdown(wait=True)


@pytest.fixture
def broker(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[InProcess]:
    """No worker runs until the test calls start_worker()."""
    made = InProcess()
    monkeypatch.setattr(port, "ticket", made.ticket)
    monkeypatch.setattr(port, "publish_finish", made.publish_finish)
    monkeypatch.setattr("inference.worker.app.Runtime._invite", lambda self: None)
    yield made
    made.close()


class Tab:
    """One browser tab: its websocket, as JSON."""

    def __init__(self, cookie: str, origin: str) -> None:
        headers = [(b"origin", origin.encode()), (b"cookie", cookie.encode()), (b"accept-language", b"en")]
        self.socket = WebsocketCommunicator(application, "/ws/", headers=headers)
        self.first: dict[str, Any] = {}

    async def open(self) -> dict[str, Any]:
        connected, code = await self.socket.connect(timeout=WAIT)
        assert connected, code
        return await self.next()

    async def say(self, **frame: Any) -> None:
        await self.socket.send_to(text_data=json.dumps(frame))

    async def next(self) -> dict[str, Any]:
        """The next frame, or {"close": code}."""
        output = await self.socket.receive_output(timeout=WAIT)
        if output["type"] == "websocket.close":
            return {"type": "close", "code": output["code"]}
        frame: dict[str, Any] = json.loads(output["text"])
        return frame

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
        """Text as a page assembles it, to its end; every number seen once."""
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
                assert frame["type"] in {
                    "queued",
                    "ack",
                    "message",
                    "conversation",
                    "conversation_settings",
                }, frame


def cookie_of(client: Client) -> str:
    return "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())


@pytest.fixture
async def tabs(cast: Any, broker: InProcess) -> AsyncIterator[Any]:
    """`await tabs("alice")` opens a tab that has said hello."""
    opened: list[Tab] = []

    async def open_tab(who: str, origin: str = settings.SITE_URLS[0]) -> Tab:
        client = await sync_to_async(cast.client)(who)
        tab = Tab(cookie_of(client), origin)
        opened.append(tab)
        tab.first = await tab.open()
        assert tab.first["type"] == ("close" if who == "anonymous" else "hello"), tab.first
        return tab

    yield open_tab
    for tab in opened:
        await tab.socket.disconnect(timeout=WAIT)
    await live.hub().close()
