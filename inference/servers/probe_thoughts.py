"""Finds out in which field a server reads what a step thought before it called tools.

Models that think between calls were trained to read the thoughts of the same answer (DeepSeek, Qwen and
gpt-oss). A server that ignores unknown fields accepts any, so that acceptance alone proves nothing: a field
counts if the prompt has more tokens with it, or if the server refuses the step without it.
"""

from __future__ import annotations

from collections.abc import Mapping

from inference.servers.client import Server
from inference.servers.errors import Refused
from inference.servers.probe_tools import NAME, QUESTION, TOOL

FIELDS = ("reasoning_content", "reasoning")
THOUGHT = (
    "The person wants the word yes from the tool, so I call the tool answer with this one word and "
    "nothing else."
)
LEAST_TOKENS = 10  # of the thought's twenty words


async def probe_thoughts(server: Server, model: str) -> str:
    """Returns the name of the field, "" for a server that reads none or does not count a prompt's tokens."""
    without = await _prompt_tokens(server, model, {})
    for name in FIELDS:
        within = await _prompt_tokens(server, model, {name: THOUGHT})
        if within is None:
            continue
        if without is None or (without and within - without >= LEAST_TOKENS):
            return name
    return ""


async def _prompt_tokens(server: Server, model: str, thought: Mapping[str, str]) -> int | None:
    """Returns the tokens of a prompt with a call and its result, 0 if unknown; None where it is refused."""
    function = {"name": NAME, "arguments": '{"word": "yes"}'}
    called = {"id": "call-1", "type": "function", "function": function}
    messages = [
        *QUESTION,
        {"role": "assistant", "content": "", **thought, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "call-1", "content": "yes"},
    ]
    body = {
        "model": model, "messages": messages, "stream": True, "max_tokens": 1, "temperature": 0,
        "tools": [TOOL], "stream_options": {"include_usage": True},
    }  # fmt: skip
    tokens = 0
    try:
        async for chunk in server.complete(body):
            tokens = chunk.usage.prompt_tokens if chunk.usage else tokens
    except Refused:
        return None
    return tokens
