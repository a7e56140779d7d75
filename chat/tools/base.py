"""Defines the base class of tools: functions that a model may call between two steps of a reply.

A tool runs as the person whose reply calls it: it gets that person and has to apply that person's rights to
everything it reads or changes, through the access functions of the apps.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from uuid import UUID

from chat.accounts.models import User
from chat.core.extensions import BadOptions, Extension


class ToolFailed(Exception):
    """Raised by a tool that could not do what it was asked. The model, and the person, read its words."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool. `id` stays the same when a call is run again."""

    id: UUID
    user: User
    arguments: Mapping[str, Any]  # they fit the tool's schema
    deadline: float  # time.monotonic(); a tool that opens connections limits them by it
    options: Mapping[str, Any] = field(default_factory=dict)  # as staff set the tool's `fields`

    @property
    def seconds_left(self) -> float:
        return max(0.0, self.deadline - time.monotonic())


class Tool(Extension, ABC):
    """One tool. `label` is for people, `description` and `schema` are for the model, in English.

    Staff set its `fields`, and may overrule `read_only` (towards False alone) and `needs_approval`.
    """

    description: ClassVar[str] = ""
    schema: ClassVar[Mapping[str, Any]] = {"type": "object", "properties": {}}  # of the arguments
    # Whether a call may be run again when its process died. False: it changes something, so nobody may repeat
    # it without knowing whether it was carried out.
    read_only: ClassVar[bool] = False
    needs_approval: ClassVar[bool] = True  # whether the person is asked before each call
    seconds: ClassVar[float] = 30.0  # a call that takes longer is given up

    def check(self, options: Mapping[str, Any]) -> None:
        """Raises BadOptions unless the stored options are valid values of `fields`: the tool is then not
        offered. A tool whose `stored` turns values into something else overrides this, too."""
        form = self.form(options)
        if not form.is_valid():
            raise BadOptions(form)

    def may_use(self, user: User) -> bool:
        """Returns whether the tool is offered to this person's replies. Asked again when a call starts."""
        return True

    @abstractmethod
    def run(self, call: Call) -> str:
        """Returns the text of the result. Raises ToolFailed."""
