"""The start names what is wrong with a tool that the operator enabled."""

from __future__ import annotations

import pytest

from chat.tools.checks import problem_with_tool
from chat.tools.registry import TOOLS
from tests import tools


@pytest.fixture(autouse=True)
def _tools(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("echo", "unmade"):
        monkeypatch.setitem(TOOLS.table, name, f"tests.tools.{name.title()}")
    monkeypatch.setattr(TOOLS, "_loaded", {})


def test_a_complete_tool_has_no_problem() -> None:
    assert problem_with_tool("echo") == ""


@pytest.mark.parametrize(
    ("attribute", "value", "problem"),
    [
        ("label", "", "tool 'echo' has an empty label"),
        ("description", "", "tool 'echo' has an empty description"),
        ("schema", [], "the schema of tool 'echo' is no JSON schema of an object"),
        ("seconds", 0, "tool 'echo' has no time to run: its seconds are 0"),
    ],
)
def test_a_tool_with_an_empty_part_is_refused(
    monkeypatch: pytest.MonkeyPatch, attribute: str, value: object, problem: str
) -> None:
    monkeypatch.setattr(tools.Echo, attribute, value)
    assert problem_with_tool("echo") == problem


def test_a_tool_that_cannot_be_made_is_refused() -> None:
    problem = problem_with_tool("unmade")
    assert problem == "tool 'unmade' cannot be made: RuntimeError: an unexpected mistake"
