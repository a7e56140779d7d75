"""Finds out how much a model behind a server can be asked to think.

A server that ignores unknown fields accepts everything, so that acceptance alone proves nothing: a switch
counts if the model then answers without thinking, levels count if the server refuses one that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inference.contract import EFFORTS
from inference.servers.client import Server
from inference.servers.errors import Refused

OFF, LOW, MEDIUM, HIGH = EFFORTS
LEVEL = "reasoning_effort"
SWITCHES: tuple[Mapping[str, Any], ...] = (
    {"chat_template_kwargs": {"enable_thinking": False}},  # vLLM, SGLang, llama.cpp
    {LEVEL: "none"},  # Ollama, OpenAI
)
NO_LEVEL = "grokweb-probe"
HELLO = [{"role": "user", "content": "Say: yes"}]
TOKENS = 12


async def probe_efforts(server: Server, model: str) -> dict[str, Mapping[str, Any]]:
    """Returns the fields of a request for each effort, least first; none for a model that does not think."""
    if not await _thinks(server, model, {}):
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for switch in SWITCHES:
        if await _thinks(server, model, switch) is False:
            found[OFF] = switch
            break
    if await _thinks(server, model, {LEVEL: NO_LEVEL}) is None:
        for level in (LOW, MEDIUM, HIGH):
            if await _thinks(server, model, {LEVEL: level}) is not None:
                found[level] = {LEVEL: level}
    if list(found) == [OFF]:
        found[HIGH] = {}  # as it was trained
    return found


async def _thinks(server: Server, model: str, extra: Mapping[str, Any]) -> bool | None:
    """Returns whether an answer begins with a thought; None where the server refuses the fields."""
    body = {
        "model": model, "messages": HELLO, "stream": True, "max_tokens": TOKENS, "temperature": 0, **extra
    }  # fmt: skip
    try:
        chunks = [chunk async for chunk in server.complete(body)]
    except Refused:
        return None
    first = next((chunk for chunk in chunks if chunk.thought or chunk.text.strip()), None)
    return bool(first and first.thought)
