"""Kinds of blocking rules. To add one: a class in a file of its own, a line here, its tests."""

from __future__ import annotations

import functools

from django.utils.module_loading import import_string

from chat.moderation.rules.base import RuleKind

# Loaded on first use.
RULES = {
    "pattern": "chat.moderation.rules.pattern.Pattern",
}


@functools.cache
def kind(name: str) -> RuleKind:
    found: RuleKind = import_string(RULES[name])()
    return found
