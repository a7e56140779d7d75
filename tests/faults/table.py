"""Prints the table at the end of `make drills`: how often each fault was tried, and how long people
waited.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

import pytest

from tests.run import TIMED_DRILLS

HEAD = ("fault", "runs", "passed", "next token, median", "worst", "longest wait of one reply")


@dataclass
class Runs:
    """The runs of one fault."""

    outcomes: dict[str, bool] = field(default_factory=dict)
    next_token: list[float] = field(default_factory=list)  # seconds from each fault until somebody got one
    longest: float = 0.0  # until the last of the interrupted replies went on

    def cells(self) -> tuple[str, ...]:
        waits = self.next_token
        times = (
            [f"{median(waits):.2f} s", f"{max(waits):.2f} s", f"{self.longest:.2f} s"] if waits else ["–"] * 3
        )
        return (str(len(self.outcomes)), str(sum(self.outcomes.values())), *times)


class Table:
    """A pytest plugin: reads the reports, wherever the drills ran."""

    def __init__(self) -> None:
        self.faults: dict[str, Runs] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = next((str(value) for key, value in report.user_properties if key == "fault"), "")
        if not name:
            return
        runs = self.faults.setdefault(name, Runs())
        runs.outcomes[report.nodeid] = runs.outcomes.get(report.nodeid, True) and report.passed
        if report.when == "teardown":
            for key, value in report.user_properties:
                if key == "waits" and isinstance(value, list) and value:
                    runs.next_token.append(min(value))
                    runs.longest = max(runs.longest, *value)

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        if not str(config.getoption("markexpr")).startswith(TIMED_DRILLS) or not self.faults:
            return
        terminalreporter.section("drills")
        for line in self.lines():
            terminalreporter.write_line(line)

    def lines(self) -> list[str]:
        rows = [HEAD, *((name, *runs.cells()) for name, runs in self.faults.items())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return [
            "  ".join(
                [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
            )
            for row in rows
        ]
