"""Lists the kinds of moderation rules. To add one: a class in a file of its own, a line here, its tests.

A distribution adds one by an entry point of the group `grokweb.rules` (docs/extending.md).
"""

from __future__ import annotations

from chat.moderation.rules.base import RuleKind
from inference.base.registry import Registry

RULES: Registry[type[RuleKind]] = Registry(
    "grokweb.rules",
    {
        "pattern": "chat.moderation.rules.pattern.Pattern",
        "secrets": "chat.moderation.rules.secrets.Secrets",
    },
    noun="kind of rule",
    required=("label", "fields", "options", "check", "find", "for_replies", "summary"),
)
DEFAULT = "pattern"


def kinds() -> dict[str, RuleKind]:
    """Returns every kind that can be chosen, by name."""
    return {name: kind() for name, kind in RULES.loaded().items()}


def kind_for(name: str) -> RuleKind:
    """Returns one kind; raises RegistryError for a name that is gone or cannot be loaded."""
    return RULES.load(name)()
