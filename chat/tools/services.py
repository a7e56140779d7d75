"""Finds the tools that a reply may call, as the operator and staff have set them up."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from chat.accounts.models import User
from chat.core.extensions import BadOptions
from chat.tools.base import Tool
from chat.tools.models import ToolSettings
from chat.tools.registry import TOOLS
from inference.base.registry import RegistryError

logger = logging.getLogger("grokweb.tools")
Approval = ToolSettings.Approval


@dataclass(frozen=True, slots=True)
class EnabledTool:
    """A tool that replies may call. Staff may only make it stricter about repeated calls."""

    tool: Tool
    read_only: bool
    needs_approval: bool
    options: Mapping[str, Any]


def tool_for(name: str) -> EnabledTool | None:
    """Returns an enabled tool, or None; a broken one is named in the log."""
    return _enabled([name]).get(name)


def offered_to(user: User) -> tuple[str, ...]:
    """Returns the names of the tools that this person's replies may call, in the operator's order."""
    found = _enabled(settings.TOOLS)
    return tuple(name for name, enabled in found.items() if enabled.tool.may_use(user))


def enabled_tools() -> list[EnabledTool]:
    """Returns the tools that can be used, in the operator's order."""
    return list(_enabled(settings.TOOLS).values())


def described(names: Iterable[str]) -> tuple[dict[str, Any], ...]:
    """Returns tools as requests name them (inference/contract.py), without those that are gone."""
    return tuple(
        {"name": name, "description": each.tool.description, "parameters": dict(each.tool.schema)}
        for name, each in _enabled(names).items()
    )


def _enabled(names: Iterable[str]) -> dict[str, EnabledTool]:
    """Returns those of these tools that can be used, with one query."""
    loaded = {name: tool for name in names if (tool := loaded_tool(name)) is not None}
    if not loaded:
        return {}
    stored = {each.name: each for each in ToolSettings.objects.filter(name__in=loaded)}
    found = {
        name: _set_up(tool, stored.get(name) or ToolSettings(name=name)) for name, tool in loaded.items()
    }
    return {name: each for name, each in found.items() if each is not None}


def loaded_tool(name: str) -> Tool | None:
    """Returns a tool of GROKWEB_TOOLS; None if it cannot be made."""
    if name not in settings.TOOLS:
        return None
    try:
        return TOOLS.load(name)()
    except RegistryError:
        return None
    except Exception:
        logger.exception("a tool cannot be made", extra={"tool": name})
        return None


def _set_up(tool: Tool, stored: ToolSettings) -> EnabledTool | None:
    options = options_of(tool, stored)
    try:
        tool.check(options)
    except BadOptions:
        logger.error("a tool is not offered: its options are not valid", extra={"tool": stored.name})
        return None
    return EnabledTool(tool, read_only(tool, stored), needs_approval(tool, stored), options)


def read_only(tool: Tool, stored: ToolSettings) -> bool:
    return tool.read_only and not stored.is_changing


def needs_approval(tool: Tool, stored: ToolSettings) -> bool:
    decided = {Approval.ALWAYS: True, Approval.NEVER: False}
    return decided.get(Approval(stored.approval), tool.needs_approval)


def options_of(tool: Tool, stored: ToolSettings) -> dict[str, Any]:
    """Returns the stored options, and for the others the first values of their fields."""
    first = {name: field.initial for name, field in tool.fields.items() if field.initial is not None}
    return {**first, **stored.options}


def store_missing_settings() -> None:
    """Stores a row for each tool of GROKWEB_TOOLS that has none, so that staff can open and change it."""
    known = set(ToolSettings.objects.filter(name__in=settings.TOOLS).values_list("name", flat=True))
    missing = [ToolSettings(name=name) for name in settings.TOOLS if name not in known]
    ToolSettings.objects.bulk_create(missing, ignore_conflicts=True)
