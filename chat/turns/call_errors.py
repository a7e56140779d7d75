"""The codes of calls that have no ordinary result, and what the model reads in its place."""

from __future__ import annotations

from enum import StrEnum

from chat.turns.models import CallStatus, ToolCall


class CallError(StrEnum):
    NOT_A_CALL = "not_a_call"  # the model wrote something else
    ARGUMENTS = "arguments"  # they do not fit the tool's schema
    NO_TOOL = "no_tool"  # it was not offered, or is no longer enabled
    DENIED = "denied"  # by the person
    NOT_DECIDED = "not_decided"  # the person did not decide in time
    ENDED = "ended"  # the reply ended before the call was begun
    QUOTA = "quota"  # nothing is left of the person's day
    TOOL = "tool"  # the tool says why in its result
    BROKEN = "broken"  # the tool raised an unexpected exception
    TIME = "time"  # it took too long
    LOST = "lost"  # the process that ran it died
    NOT_RUN = "not_run"  # no process ran it
    WITHHELD = "withheld"  # a moderation rule forbids the result


_TOLD: dict[str, str] = {
    CallError.NOT_A_CALL: "This is not a call: write one JSON object with a name and arguments.",
    CallError.NO_TOOL: "There is no such tool.",
    CallError.DENIED: "The person did not allow this call.",
    CallError.NOT_DECIDED: "The person did not answer whether this call is allowed, so it was not made.",
    CallError.QUOTA: "The person's quota is used up, so the call was not made.",
    CallError.BROKEN: "The tool failed.",
    CallError.TIME: "The tool took too long.",
    CallError.LOST: "The process of the tool ended before the result came.",
    CallError.NOT_RUN: "The tool is not available now.",
    CallError.WITHHELD: "The call was made. A rule of this service forbids its result.",
}
_UNKNOWN = "It is unknown whether this call was carried out. Do not repeat it unless the person asks for it."


def told_to_model(call: ToolCall) -> str:
    """Returns the result of a finished call as the prompt of the next step has it."""
    if call.status == CallStatus.UNKNOWN:
        return _UNKNOWN
    told = "\n".join(filter(None, [_TOLD.get(call.error, ""), call.result]))
    return told or "(no result)"
