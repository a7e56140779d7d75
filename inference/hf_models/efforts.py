"""Finds out which efforts of thinking a chat template can be asked for, from the variables that it reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jinja2 import TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

SWITCHES = ("enable_thinking", "thinking")  # Qwen3, GLM-4.5, SmolLM3; DeepSeek-V3.1, Granite
LEVEL = "reasoning_effort"  # gpt-oss
OFF, LOW, MEDIUM, HIGH = "off", "low", "medium", "high"  # contract.EFFORTS
GENERATION = re.compile(r"{%-?\s*(end)?generation\s*-?%}")  # a tag of transformers' own, without any output


def effort_arguments(source: str) -> dict[str, Mapping[str, Any]]:
    """Returns the template's arguments for each effort, least first. `high` of a template with a switch alone
    is thinking as it was trained."""
    variables = _variables(source)
    switches = [name for name in SWITCHES if name in variables]
    on, off = dict.fromkeys(switches, True), dict.fromkeys(switches, False)
    found: dict[str, Mapping[str, Any]] = {OFF: off} if switches else {}
    if LEVEL in variables:
        return found | {level: {**on, LEVEL: level} for level in (LOW, MEDIUM, HIGH)}
    return found | ({HIGH: on} if switches else {})


def _variables(source: str) -> set[str]:
    environment = ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"])
    try:
        return meta.find_undeclared_variables(environment.parse(GENERATION.sub("", source)))
    except TemplateError:
        return set()
