"""Finds out whether a server answers with calls of tools.

A server that ignores unknown fields accepts tools, too, so that acceptance alone proves nothing: it counts if
the answer contains a call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference.servers.client import Server
from inference.servers.errors import Refused

NAME = "answer"
SCHEMA = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
TOOL = {
    "type": "function",
    "function": {"name": NAME, "description": "Gives the answer.", "parameters": SCHEMA},
}
QUESTION = [{"role": "user", "content": "Say: yes. Call the tool `answer` for it."}]
TOKENS = 48
# First a server that can force a call, however the model begins; then one that leaves it to the model.
CHOICES: tuple[Mapping[str, Any], ...] = (
    {"tool_choice": {"type": "function", "function": {"name": NAME}}},
    {},
)


async def probe_tools(server: Server, model: str) -> bool:
    """Returns whether a request that offers a tool gets a call, without being forced to it or with."""
    for choice in CHOICES:
        if await _calls(server, model, choice):
            return await _accepts(server, model)
    return False


async def _calls(server: Server, model: str, choice: Mapping[str, Any]) -> bool:
    body = {
        "model": model, "messages": QUESTION, "stream": True, "max_tokens": TOKENS, "temperature": 0,
        "tools": [TOOL], **choice,
    }  # fmt: skip
    try:
        return any([chunk.calls async for chunk in server.complete(body)])
    except Refused:
        return False


async def _accepts(server: Server, model: str) -> bool:
    """Returns whether the model may choose: some servers can only force a call, unless they are told how."""
    body = {
        "model": model, "messages": QUESTION, "stream": True, "max_tokens": 1, "temperature": 0,
        "tools": [TOOL],
    }  # fmt: skip
    try:
        _ = [chunk async for chunk in server.complete(body)]
    except Refused:
        return False
    return True
