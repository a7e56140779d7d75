"""Lists the tools that are installed. To add one: a file with a class, a line here, its tests.

A distribution adds one by an entry point of the group `grokweb.tools` (docs/extending.md). A tool is offered
only where the operator has enabled it (GROKWEB_TOOLS).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.base.registry import Registry

if TYPE_CHECKING:  # the settings read this table before Django has models
    from chat.tools.base import Tool

TOOLS: Registry[type[Tool]] = Registry(
    "grokweb.tools",
    {},
    noun="tool",
    required=(
        *("label", "fields", "options", "description", "schema", "read_only", "needs_approval"),
        *("seconds", "may_use", "run"),
    ),
)
