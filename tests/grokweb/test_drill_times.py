"""Tests what drills measure: the time from a fault to the next token, and its table."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.client import Reply
from tests.faults.drill import Blow
from tests.faults.table import Table


def reply_at(*times: float) -> Reply:
    reply = Reply("x")
    reply.times = list(times)
    return reply


def test_pieces_already_sent_are_not_counted_as_the_next_token() -> None:
    blow = Blow(10.0, [reply_at(9.9, 10.01, 10.02, 12.5, 12.54), reply_at(9.9, 14.0)])
    assert blow.waits() == pytest.approx([2.5, 4.0])
    assert blow.waits_over()


def test_people_whom_the_fault_did_not_interrupt_are_left_out() -> None:
    untouched = reply_at(9.9, 10.04, 10.08, 10.12)
    assert Blow(10.0, [untouched]).waits() == pytest.approx([0.04])
    assert not Blow(10.0, [untouched]).waits_over()
    assert Blow(10.0, [untouched, reply_at(13.0)]).waits() == pytest.approx([3.0])


def test_complete_replies_have_no_waiting_time() -> None:
    assert Blow(10.0, [reply_at(9.9)]).waits() == []


def report(round_: int, when: Any, outcome: Any, *properties: tuple[str, object]) -> pytest.TestReport:
    return pytest.TestReport(
        f"drill[{round_}]", ("", 0, ""), {}, outcome, None, when, user_properties=[*properties]
    )


def test_the_table_counts_runs_and_shows_median_and_worst() -> None:
    table = Table()
    named = ("fault", "worker killed")
    for round_, waits in enumerate(([2.0, 5.0], [4.0], [3.0, 3.5])):
        for when in ("setup", "call"):
            table.pytest_runtest_logreport(report(round_, when, "passed", named))
        table.pytest_runtest_logreport(report(round_, "teardown", "passed", ("waits", waits), named))
    for when, outcome in (("setup", "passed"), ("call", "failed"), ("teardown", "passed")):
        table.pytest_runtest_logreport(report(3, when, outcome, named))
    table.pytest_runtest_logreport(report(4, "call", "passed"))  # not a drill
    head, row = table.lines()
    assert head.split()[:3] == ["fault", "runs", "passed"]
    assert row.split() == ["worker", "killed", "4", "3", "3.00", "s", "4.00", "s", "5.00", "s"]
