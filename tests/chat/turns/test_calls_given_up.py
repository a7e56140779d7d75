"""Calls whose tools do not return: the reply goes on without them, and the process gets its threads back."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from chat.turns import call_leases
from chat.turns.tool_threads import ToolThreads
from inference.base.exit_status import ENGINE_FAILED
from tests import tools
from tests.chat.turns.calling import Page, call, ended

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("called_tools")]


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Notes with which status the process would end, at once."""
    noted: list[int] = []
    monkeypatch.setattr(os, "_exit", noted.append)
    return noted


@pytest.mark.parametrize(
    ("read_only", "status", "told"),
    [(True, "failed", "The tool took too long."), (False, "unknown", "It is unknown whether this call was")],
)
async def test_a_reply_goes_on_without_a_tool_that_does_not_return(
    tabs: Any,
    broker: Any,
    monkeypatch: pytest.MonkeyPatch,
    exits: list[int],
    read_only: bool,
    status: str,
    told: str,
) -> None:
    monkeypatch.setattr(call_leases, "GRACE_SECONDS", 0.0)
    monkeypatch.setattr(tools.Stall, "read_only", read_only)
    hold = tools.notes().parent / tools.HOLD
    hold.touch()
    broker.start_worker()
    page = Page(await tabs("alice"), call("stall"))
    ack = await page.ask()
    message, (made,) = await ended(page, ack)
    assert told in message.text
    assert (made.status, made.error) == (status, "time")
    assert exits == [ENGINE_FAILED]
    hold.unlink()
    broker.close()  # the tool has returned now
    await made.arefresh_from_db()
    assert (made.status, made.result) == (status, "")


def test_a_process_that_still_runs_a_call_ends_when_that_one_has_returned(exits: list[int]) -> None:
    threads = ToolThreads()
    may_return = threading.Event()
    stuck = threading.Event()

    def stay() -> None:
        with threads.busy():
            stuck.set()
            may_return.wait()

    lost = threading.Thread(target=stay)
    lost.start()
    stuck.wait()
    assert lost.ident is not None
    with threads.busy():
        threads.lose(lost.ident)
        assert exits == []
    assert exits == [ENGINE_FAILED]
    may_return.set()
    lost.join()
    threads.lose(lost.ident)
    assert exits == [ENGINE_FAILED]
