"""Finds the tools that a reply may call."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from django.conf import settings

from chat.accounts.models import User
from chat.tools.base import Tool
from chat.tools.registry import TOOLS
from inference.base.registry import RegistryError

logger = logging.getLogger("grokweb.tools")


def tool_for(name: str) -> Tool | None:
    """Returns an enabled tool, or None; a broken one is named in the log."""
    if name not in settings.TOOLS:
        return None
    try:
        return TOOLS.load(name)()
    except RegistryError:
        return None
    except Exception:
        logger.exception("a tool cannot be made", extra={"tool": name})
        return None


def offered_to(user: User) -> tuple[str, ...]:
    """Returns the names of the tools that this person's replies may call, in the operator's order."""
    found = ((name, tool_for(name)) for name in settings.TOOLS)
    return tuple(name for name, tool in found if tool is not None and tool.may_use(user))


def described(names: Iterable[str]) -> tuple[dict[str, Any], ...]:
    """Returns tools as requests name them (inference/contract.py), without those that are gone."""
    found = ((name, tool_for(name)) for name in names)
    return tuple(
        {"name": name, "description": tool.description, "parameters": dict(tool.schema)}
        for name, tool in found
        if tool is not None
    )
