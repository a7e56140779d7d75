"""Arguments of calls are checked against any schema that a tool may have."""

from __future__ import annotations

from typing import Any

import pytest

from chat.tools.schema import problem_with


@pytest.mark.parametrize("odd", [True, [], "string", None, {"type": [[]], "enum": 5, "minimum": "a"}])
def test_parts_of_a_schema_of_another_form_are_ignored(odd: Any) -> None:
    schema = {"type": "object", "properties": {"a": odd, "b": {"items": odd}}, "required": odd}
    assert problem_with({"a": 1, "b": [2]}, schema) == ""
    assert problem_with({"a": 1}, {"type": "object", "properties": odd}) == ""


def test_values_may_be_nested_deeper_than_their_schema() -> None:
    value: list[Any] = []
    for _ in range(5000):
        value = [value]
    schema = {"type": "object", "properties": {"a": {"type": "array"}}}
    assert problem_with({"a": value}, schema) == ""


def test_a_schema_without_end_is_followed_to_a_limit() -> None:
    value: list[Any] = []
    schema: dict[str, Any] = {"type": "array"}
    schema["items"] = schema
    for _ in range(5000):
        value = [value]
    assert "nested too deeply" in problem_with(value, schema)
