"""The state of a call as pages see it (docs/protocol.md)."""

from __future__ import annotations

from typing import Any

from chat.turns.models import CallStatus, ToolCall

SHOWN_CHARS = 2000  # of a result
_ORDER = {CallStatus.WAITING: 0, CallStatus.QUEUED: 1, CallStatus.RUNNING: 2}


def call_json(call: ToolCall, step: int) -> dict[str, Any]:
    """Returns a call with its step's number. Of two states, the one with the higher `version` is newer."""
    took = call.finished_at - call.started_at if call.finished_at and call.started_at else None
    return {
        "id": str(call.pk),
        "step": step,
        "position": call.position,
        "name": call.name,
        "arguments": call.arguments,
        "status": call.status,
        "error": call.error,
        "result": call.result[:SHOWN_CHARS],
        "cut": len(call.result) > SHOWN_CHARS,
        "ms": None if took is None else round(took.total_seconds() * 1000),
        "version": 10 * call.attempt + _ORDER.get(CallStatus(call.status), 3),
    }
