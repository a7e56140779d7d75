"""Reads the chunks of a streamed chat completion (OpenAI's `chat.completion.chunk`).

Servers differ: reasoning is `reasoning_content` (DeepSeek, SGLang, llama.cpp, older vLLM) or `reasoning`
(newer vLLM, Ollama); usage comes in the last chunk, in each, or never; an error may come as a chunk of its
own. Unknown fields are ignored. Anything that contradicts the format is Broken, whatever the server meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from inference.servers.errors import Broken, Busy, ServerError

MOST_TOKENS = 2**31  # a usage above it is an error of the server


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int = 0
    id: str | None = None
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class CallDelta:
    """A part of a call to a tool; parts with one `index` belong together."""

    index: int
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event of the stream. `finish` is the server's word for the end, "" before it."""

    text: str = ""
    thought: str = ""
    calls: tuple[CallDelta, ...] = ()
    finish: str = ""
    usage: Usage | None = None


DECODER = msgspec.json.Decoder(_Completion)


def read_chunk(data: str) -> Chunk:
    """Returns one event's content. Raises Broken for what is not a chunk, Busy for an error of load."""
    try:
        completion = DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):  # ValidationError is a DecodeError
        raise Broken("the server sent a chunk that is not one") from None
    if completion.error is not None:
        raise _error_in(completion.error)
    first = next((each for each in completion.choices or () if each.index == 0), None)
    usage = _usage(completion.usage)
    if first is None:
        return Chunk(usage=usage)
    delta = first.delta or _Delta()
    return Chunk(
        delta.content or "",
        delta.reasoning_content or delta.reasoning or "",
        tuple(_call(each) for each in delta.tool_calls or ()),
        first.finish_reason or "",
        usage,
    )


def _call(call: _ToolCall) -> CallDelta:
    function = call.function or _Function()
    return CallDelta(call.index, call.id or "", function.name or "", function.arguments or "")


def _usage(usage: _Usage | None) -> Usage | None:
    """Returns None for a usage that is incomplete or impossible: the caller then estimates."""
    if usage is None or usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    if not (0 <= usage.prompt_tokens < MOST_TOKENS and 0 <= usage.completion_tokens < MOST_TOKENS):
        return None
    return Usage(usage.prompt_tokens, usage.completion_tokens + _reasoning_apart(usage))


def _reasoning_apart(usage: _Usage) -> int:
    """Returns the tokens of thoughts where the server counts them beside the answer's, as xAI does.

    Most servers count them within.
    """
    details = usage.completion_tokens_details
    reasoning = details.reasoning_tokens if details else None
    if not reasoning or not 0 < reasoning < MOST_TOKENS:
        return 0
    counted = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
    return reasoning if usage.total_tokens == counted + reasoning else 0


def _error_in(error: Any) -> ServerError:
    code = error.get("code") if isinstance(error, dict) else None
    if str(code) in {"429", "503", "529"}:
        return Busy(f"the server is busy ({code}, inside the stream)")
    return Broken(f"the server reports an error inside the stream ({_short(code)})")


def _short(code: Any) -> str:
    """Returns a code for the log: numbers and identifiers only, for a message may quote the prompt."""
    text = str(code)
    return text if text.isascii() and text.replace("_", "").isalnum() and len(text) <= 40 else "no code"
