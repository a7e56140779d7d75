"""Reads the calls that a step wrote: one JSON object a line, {"id", "name", "arguments"}.

A model may write anything. A line that cannot be carried out becomes a call that has failed already, so that
the next step reads what was wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.db.models.functions import Now

from chat.tools import schema
from chat.tools.services import tool_for
from chat.turns.call_errors import CallError
from chat.turns.models import CallStatus, Generation, ToolCall
from chat.turns.parts import storable
from inference.contract import Kind, Piece

MOST_CALLS = 16  # of one step; further ones are not carried out, and the model is not told of them
ARGUMENTS_CHARS = 16_384
ID_CHARS = 64


def calls_of(step: Generation, pieces: Iterable[Piece]) -> list[ToolCall]:
    """Returns the rows of a step's calls, not stored yet."""
    lines = "".join(piece.text for piece in pieces if piece.kind is Kind.CALL).splitlines()
    calls: list[ToolCall] = []
    for line in [line for line in lines if line.strip()][:MOST_CALLS]:
        call = _call_of(step, len(calls), storable(line))
        if any(call.call_id == other.call_id for other in calls):
            call.call_id = _own_id(call)
        calls.append(call)
    return calls


def _call_of(step: Generation, position: int, line: str) -> ToolCall:
    call = ToolCall(step=step, position=position, arguments=line[:ARGUMENTS_CHARS])
    written = _json_of(line)
    name = written.get("name") if isinstance(written, dict) else None
    if not isinstance(written, dict) or not isinstance(name, str) or not name.isprintable():
        call.call_id = _own_id(call)
        return _failed(call, CallError.NOT_A_CALL)
    call.name = name[:ID_CHARS]
    given = written.get("id")
    usable = isinstance(given, str) and given.isprintable() and given.isascii() and len(given) <= ID_CHARS
    call.call_id = str(given) if given and usable else _own_id(call)
    return _with_arguments(call, written.get("arguments"))


def _own_id(call: ToolCall) -> str:
    return f"call_{call.step.step}_{call.position}"


def _json_of(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _with_arguments(call: ToolCall, written: Any) -> ToolCall:
    """Sets arguments and status. Servers send arguments as an object, or as its JSON."""
    arguments = _json_of(written) if isinstance(written, str) else written
    text = written if isinstance(written, str) else json.dumps(written, ensure_ascii=False)
    call.arguments = storable(text)[:ARGUMENTS_CHARS]
    tool = tool_for(call.name) if call.name in call.step.parameters.tools else None
    if tool is None:
        call.status, call.error, call.finished_at = CallStatus.REFUSED, CallError.NO_TOOL, Now()
        return call
    problem = schema.problem_with(arguments, {"type": "object", **tool.schema})
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
