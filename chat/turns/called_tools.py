"""Reads the calls that a step wrote: one JSON object a line, {"id", "name", "arguments"}.

A model may write anything. A line that cannot be carried out becomes a call that has failed already, so that
the next step reads what was wrong with it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Container, Iterable
from itertools import chain, count
from math import isfinite
from typing import Any, NoReturn

from django.db.models.functions import Now

from chat.tools import schema
from chat.tools.services import tool_for
from chat.turns.call_errors import CallError
from chat.turns.models import CallStatus, Generation, ToolCall
from chat.turns.parts import storable
from inference.contract import Kind, Piece

logger = logging.getLogger("grokweb.turns")

MOST_CALLS = 16  # of one step; further ones are not carried out, and the model is not told of them
ARGUMENTS_CHARS = 16_384
ID_CHARS = 64


def calls_of(step: Generation, pieces: Iterable[Piece]) -> list[ToolCall]:
    """Returns the rows of a step's calls, not stored yet. Whatever a line says, the others stay: an error
    here would undo the settlement of the step, each time."""
    # No other character ends a line: JSON may have them in its strings.
    lines = "".join(piece.text for piece in pieces if piece.kind is Kind.CALL).split("\n")
    calls: list[ToolCall] = []
    for line in [line for line in lines if line.strip()][:MOST_CALLS]:
        try:
            call = _call_of(step, len(calls), line)
        except Exception as error:  # noqa: BLE001 - logged below; its message could have the person's text
            about = {"generation": str(step.pk), "position": len(calls)}
            logger.error("a call cannot be read: %s", type(error).__name__, extra=about)
            call = _failed(_row(step, len(calls), line), CallError.BROKEN)
        taken = {other.call_id for other in calls}
        if not call.call_id or call.call_id in taken:
            call.call_id = _own_id(call, taken)
        calls.append(call)
    return calls


def _row(step: Generation, position: int, line: str) -> ToolCall:
    return ToolCall(step=step, position=position, arguments=storable(line)[:ARGUMENTS_CHARS])


def _call_of(step: Generation, position: int, line: str) -> ToolCall:
    call = _row(step, position, line)
    written = _json_of(line)
    name = written.get("name") if isinstance(written, dict) else None
    if not isinstance(written, dict) or not isinstance(name, str) or not name.isprintable():
        return _failed(call, CallError.NOT_A_CALL)
    call.name = name[:ID_CHARS]
    given = written.get("id")
    if isinstance(given, str) and given.isprintable() and given.isascii() and len(given) <= ID_CHARS:
        call.call_id = given
    return _with_arguments(call, written.get("arguments"))


def _own_id(call: ToolCall, taken: Container[str]) -> str:
    """Returns an id for a call that has none of its own."""
    first = f"call_{call.step.step}_{call.position}"
    names = chain([first], (f"{first}_{number}" for number in count(1)))
    return next(name for name in names if name not in taken)


def _json_of(text: str) -> Any:
    """Returns what JSON says, None for what is none: Python by itself also reads numbers that JSON lacks."""
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> NoReturn:
    raise ValueError("no number of JSON")


def _finite(written: str) -> float:
    number = float(written)
    return number if isfinite(number) else _refuse(written)


def _with_arguments(call: ToolCall, written: Any) -> ToolCall:
    """Sets arguments and status. Servers send arguments as an object, or as its JSON."""
    arguments = _json_of(written) if isinstance(written, str) else written
    text = written if isinstance(written, str) else json.dumps(written, ensure_ascii=False)
    call.arguments = storable(text)[:ARGUMENTS_CHARS]
    tool = tool_for(call.name) if call.name in call.step.parameters.tools else None
    if tool is None:
        call.status, call.error, call.finished_at = CallStatus.REFUSED, CallError.NO_TOOL, Now()
        return call
    problem = schema.problem_with(arguments, {"type": "object", **tool.tool.schema})
    if problem or len(text) > ARGUMENTS_CHARS:
        return _failed(call, CallError.ARGUMENTS, problem or "the arguments are too long")
    call.status, call.queued_at = CallStatus.QUEUED, Now()
    if tool.needs_approval:
        call.status, call.queued_at = CallStatus.WAITING, None
    return call


def _failed(call: ToolCall, error: CallError, result: str = "") -> ToolCall:
    call.status, call.error, call.result = CallStatus.FAILED, error, storable(result)[:ARGUMENTS_CHARS]
    call.finished_at = Now()
    return call


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """Returns the arguments of a call; {} where they are none."""
    arguments = _json_of(call.arguments)
    return arguments if isinstance(arguments, dict) else {}


def written_arguments(call: ToolCall) -> str:
    """Returns the arguments as the model wrote them; "{}" where they are no JSON object."""
    return call.arguments if isinstance(_json_of(call.arguments), dict) else "{}"
