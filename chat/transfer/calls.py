"""Calls of tools in exports and imports. An imported call is shown as one that has ended, and never run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from chat.conversations.models import Message
from chat.transfer.imported_conversation import ImportedCallData, dict_of, list_of, storable, text_of
from chat.transfer.models import ImportedCall
from chat.turns.call_errors import CallError
from chat.turns.call_json import SHOWN_CHARS, whole_calls_of
from chat.turns.call_results import RESULT_CHARS
from chat.turns.called_tools import ARGUMENTS_CHARS, ID_CHARS, MOST_CALLS
from chat.turns.models import MOST_STEPS, OPEN_CALLS, CallStatus, ToolCall

MOST = MOST_STEPS * MOST_CALLS  # of one answer
ENDED_VERSION = 13  # as of a call that ended in its first attempt (chat/turns/call_json.py)
Call = ToolCall | ImportedCall


def calls_of(messages: Sequence[Message]) -> dict[UUID, list[Call]]:
    """Returns the calls of answers, made here or imported; a hidden answer has none."""
    found: dict[UUID, list[Call]] = {pk: list(calls) for pk, calls in whole_calls_of(messages).items()}
    for message, imported in _imported(messages).items():
        found[message] = [*imported, *found.get(message, [])]
    return found


def _imported(messages: Sequence[Message]) -> dict[UUID, list[ImportedCall]]:
    answers = [each.pk for each in messages if each.source and each.hidden_at is None]
    found: dict[UUID, list[ImportedCall]] = {}
    for call in ImportedCall.objects.filter(message__in=answers) if answers else ():
        found.setdefault(call.message_id, []).append(call)
    return found


def used_tools(calls: Iterable[Call]) -> list[str]:
    """Returns the names of the tools that were used, for exports to read."""
    used = (call.name for call in calls if call.status == CallStatus.DONE)
    return list(dict.fromkeys(name.replace("`", "'") for name in used))


# --- Out --------------------------------------------------------------------------------------------------


def written(calls: Iterable[Call]) -> list[dict[str, Any]]:
    return [
        {
            "step": call.step.step if isinstance(call, ToolCall) else call.step,
            **{name: getattr(call, name) for name in ("name", "arguments", "status", "error", "result")},
        }
        for call in calls
    ]


# --- In ---------------------------------------------------------------------------------------------------


def read(value: object) -> tuple[list[ImportedCallData], int]:
    """Returns the calls that a file has of one answer, and how many could not be read."""
    entries = list_of(value)
    calls = [call for each in entries[:MOST] if (call := _read(dict_of(each)))]
    return calls, len(entries) - len(calls)


def _read(entry: dict[str, object]) -> ImportedCallData | None:
    step, status, error = entry.get("step"), entry.get("status"), text_of(entry.get("error"))
    name, arguments, result = (text_of(entry.get(part)) for part in ("name", "arguments", "result"))
    fits = len(name) <= ID_CHARS and len(arguments) <= ARGUMENTS_CHARS and len(result) <= RESULT_CHARS
    if type(step) is not int or not 0 <= step < MOST_STEPS or not fits or not name.isprintable():
        return None
    if status not in CallStatus.values or error not in ("", *CallError):
        return None
    status = CallStatus(str(status))
    if status in OPEN_CALLS:  # exported while it waited or ran
        ended = status == CallStatus.RUNNING
        status = CallStatus.UNKNOWN if ended else CallStatus.REFUSED
        error = CallError.LOST if ended else CallError.ENDED
    return ImportedCallData(step, storable(name), storable(arguments), status, error, storable(result))


def store(calls: Sequence[tuple[Message, ImportedCallData]]) -> None:
    """Stores calls in the order of their answers."""
    positions: dict[tuple[UUID, int], int] = {}
    rows = []
    for message, call in calls:
        position = positions[message.pk, call.step] = positions.get((message.pk, call.step), -1) + 1
        fields = {name: getattr(call, name) for name in call.__slots__}
        rows.append(ImportedCall(message=message, position=position, **fields))
    ImportedCall.objects.bulk_create(rows, batch_size=500)


def load(messages: Sequence[Message]) -> None:
    """Adds imported calls to the extras of their answers, as chat/turns/steps.py does with others."""
    imported = _imported(messages)
    for message in messages:
        if calls := imported.get(message.pk):
            own = message.extras.get("calls", [])
            message.extras = {**message.extras, "calls": [*map(_json, calls), *own]}


def _json(call: ImportedCall) -> dict[str, Any]:
    return {
        "id": f"imported-{call.pk}",
        **{
            name: getattr(call, name) for name in ("step", "position", "name", "arguments", "status", "error")
        },
        "result": call.result[:SHOWN_CHARS],
        "cut": len(call.result) > SHOWN_CHARS,
        "ms": None,
        "version": ENDED_VERSION,
    }
