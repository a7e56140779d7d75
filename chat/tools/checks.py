"""Checks at the start that the tools which the operator enabled can be used."""

from __future__ import annotations

from collections.abc import Mapping

from chat.tools.registry import TOOLS
from inference.base.registry import RegistryError


def problem_with_tool(name: str) -> str:
    """Returns in one line why a tool cannot be used; "" if it can."""
    try:
        tool = TOOLS.load(name)()
    except RegistryError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - whatever the code of a package raises
        return f"tool {name!r} cannot be made: {type(error).__name__}: {error}"
    wrong = [each for each in ("label", "description") if not getattr(tool, each)]
    if wrong:
        return f"tool {name!r} has an empty {' and an empty '.join(wrong)}"
    if not isinstance(tool.schema, Mapping):
        return f"the schema of tool {name!r} is no JSON schema of an object"
    return "" if tool.seconds > 0 else f"tool {name!r} has no time to run: its seconds are {tool.seconds}"
