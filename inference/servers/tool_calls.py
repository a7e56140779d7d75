"""Puts the calls of tools together that a server streams in parts.

A call is logged when it is whole, one JSON object a line (contract.Kind.CALL): half of one could neither be
carried out nor continued.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from inference.servers.chunks import CallDelta

MOST_CALLS = 16
MOST_CHARACTERS = 65_536  # of the arguments of one call


class ToolCalls:
    """The calls of one stream."""

    def __init__(self) -> None:
        self._calls: dict[int, CallDelta] = {}

    def add(self, deltas: Iterable[CallDelta]) -> None:
        """Adds parts; calls and arguments beyond the limits are dropped."""
        for delta in deltas:
            known = self._calls.get(delta.index)
            if known is None:
                if len(self._calls) == MOST_CALLS:
                    continue
                known = CallDelta(delta.index, "", "", "")
            arguments = (known.arguments + delta.arguments)[:MOST_CHARACTERS]
            name = known.name or delta.name  # a few servers repeat the name in each part
            self._calls[delta.index] = CallDelta(delta.index, known.id or delta.id, name, arguments)

    def lines(self) -> list[str]:
        """Returns the lines to log, in the order of the calls."""
        return [_line(self._calls[index]) for index in sorted(self._calls)]


def _line(call: CallDelta) -> str:
    written = {"id": call.id, "name": call.name, "arguments": call.arguments or "{}"}
    return json.dumps(written, ensure_ascii=False) + "\n"
