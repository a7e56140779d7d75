"""A model worker inside the test process: real engine, writer and Redis; Celery is a thread pool.

The drills in tests/faults/ run the same with real Celery processes.
"""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import close_old_connections

from chat.model_cards.models import ModelCard
from chat.tools.registry import TOOLS
from chat.turns import between_steps, call_tickets, carrying_out, hub, model_titles, settlement, submission
from inference.contract import FINISH_TASK, TITLE_TASK, Resume
from inference.engines.base import Engine
from inference.engines.scripted import ScriptedEngine
from inference.worker.runtime import Runtime
from tests import tools
from tests.chat.turns.tab import WAIT, Tab, cookie_of


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
        self.may_call = threading.Event()
        self.may_call.set()

    def start_worker(self, slots: int = 4, resume: Resume = Resume.EXACT) -> Runtime:
        engine = ScriptedEngine(slots=slots, resume=resume)
        return self.start_engine(engine, slots)

    def start_engine(self, engine: Engine, slots: int) -> Runtime:
        engine.slug = "scripted"  # the model of the tests, whatever it can do
        self.runtime = Runtime(engine, self.publish, wake=lambda: None)
        self.slots = threading.Semaphore(slots)
        self.runtime.start()
        return self.runtime

    def stop_worker(self) -> None:
        """The worker hands over what it holds and ends, as after SIGTERM."""
        assert self.runtime is not None
        self.runtime.stopping.set()
        self.runtime.writer.hand_over()
        self.runtime.close()
        self.runtime = None

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

    def send_calls(self, calls: Sequence[UUID]) -> None:
        for call in calls:
            self.pool.submit(self._do, carrying_out.carry_out, call)

    def send_next_step(self, step: UUID) -> None:
        self.pool.submit(self._do, between_steps.advance, step)

    def _do(self, work: Callable[[UUID], None], pk: UUID) -> None:
        try:
            self.may_call.wait(3 * WAIT)
            work(pk)
        finally:
            close_old_connections()

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
            model_titles.store_title(pk)
            self.titles_taken.append(pk)
        finally:
            close_old_connections()

    def close(self) -> None:
        self.may_finish.set()
        self.may_call.set()
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
    monkeypatch.setattr(submission, "ticket", made.ticket)
    monkeypatch.setattr(submission, "publish_finish", made.publish_finish)
    monkeypatch.setattr(call_tickets, "send", made.send_calls)
    monkeypatch.setattr(call_tickets, "send_next_step", made.send_next_step)
    yield made
    made.close()


@pytest.fixture
def called_tools(settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model_card: Any) -> None:
    """Installs the tools of tests/tools.py, enables them, and says that the model can call."""
    for name in tools.NAMES:
        monkeypatch.setitem(TOOLS.table, name, f"tests.tools.{name.title()}")
    monkeypatch.setattr(TOOLS, "_loaded", {})  # other tests have tools of these names, too
    settings.TOOLS = list(tools.NAMES)
    settings.DATA_DIR = tmp_path
    model_card.capabilities = {"tools": True}
    model_card.save()


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
    await hub.hub().close()


@pytest.fixture
def short_context(model_card: ModelCard, settings: Any) -> None:
    """Gives the model a context that some long turns fill, and reconcile no time to wait."""
    type(model_card).objects.update(context_tokens=4096)
    settings.RECONCILE_AGE_SECONDS = -60
    settings.REDIS_REST_SECONDS = 0.001


@pytest.fixture
def site(model_card: ModelCard, settings: Any) -> Any:
    """No model is the staff's choice, and `scripted` is the configured one that nobody has seen."""
    ModelCard.objects.update(is_default=False)
    settings.MODEL_SLUG, settings.MODEL_WORKER_SINCE = "scripted", 0
    return settings
