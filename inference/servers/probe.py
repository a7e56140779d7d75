"""Finds out what a server can do, by asking and trying; nothing is assumed from its name.

A probe is cheap enough for a paid server: a list of models, then some completions, most of them of up to
twelve tokens (64 for images, 48 for tools).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference.servers.body import EXTENSIONS, Accepted
from inference.servers.client import Server
from inference.servers.errors import Broken, Refused, ServerError
from inference.servers.probe_efforts import probe_efforts
from inference.servers.probe_images import probe_images
from inference.servers.probe_thoughts import probe_thoughts
from inference.servers.probe_tools import probe_tools

log = logging.getLogger("grokweb.servers")

FIELDS = (*EXTENSIONS.values(), "request_id", "cache_salt", "priority")
VALUES: Mapping[str, Any] = {
    "top_k": 40, "min_p": 0.05, "repetition_penalty": 1.1,
    "request_id": "probe-1", "cache_salt": "probe", "priority": 1,
}  # fmt: skip
HELLO = [{"role": "user", "content": "Say: yes"}]
# A server that continues the answer must write "fourteen"; one that starts a new answer writes "one", or
# something polite. A thinking model may do neither: then it counts as one that cannot continue.
COUNTING = [
    {"role": "user", "content": "Write the numbers from one to twenty as words, separated by single spaces."},
    {
        "role": "assistant",
        "content": "one two three four five six seven eight nine ten eleven twelve thirteen",
    },
]
NEXT_NUMBER = "fourteen"
CONTINUE = {"continue_final_message": True, "add_generation_prompt": False}


@dataclass(frozen=True, slots=True)
class Offer:
    """Holds what a server says about itself. `models` is empty if it does not list them."""

    models: tuple[str, ...] = ()
    context: int = 0
    kind: str = ""


async def ask(server: Server, model: str) -> Offer:
    """Returns the models of a server and the context of `model`; raises ServerError if it does not answer."""
    listed = await _listed(server)
    names = _names(listed)
    entry = next((each for each in listed if each.get("id") == model), {})
    kind, extra = await _identify(server, model)
    return Offer(names, _context_in(entry) or extra, kind)


async def list_models(server: Server) -> tuple[str, ...]:
    """Returns the names of a server's models, none if it does not list them; raises ServerError."""
    return _names(await _listed(server))


async def ask_for_a_token(server: Server, model: str) -> None:
    """Asks for one token, and does not wait for the rest. Raises ServerError."""
    body = {"model": model, "messages": HELLO, "stream": True, "max_tokens": 1, "temperature": 0}
    async with contextlib.aclosing(server.complete(body)) as chunks:
        async for _ in chunks:
            return


async def _listed(server: Server) -> list[dict[str, Any]]:
    try:
        return _entries(await server.get("models"))
    except (Broken, Refused):
        return []  # some servers list nothing and answer well: the trial decides


def _names(listed: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(each["id"] for each in listed if isinstance(each.get("id"), str))


def _entries(answer: Any) -> list[dict[str, Any]]:
    data = answer.get("data") if isinstance(answer, dict) else answer
    return [each for each in data if isinstance(each, dict)] if isinstance(data, list) else []


def _context_in(entry: Mapping[str, Any]) -> int:
    names = (
        "max_model_len",
        "loaded_context_length",
        "context_length",
        "context_window",
        "max_context_length",
    )
    return next((entry[name] for name in names if _is_size(entry.get(name))), 0)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


async def _identify(server: Server, model: str) -> tuple[str, int]:
    """Returns the kind of server and the context that its own interface names, 0 if it names none."""
    props = await _maybe(server, "/props")
    if isinstance(settings := props.get("default_generation_settings"), dict):
        size = settings.get("n_ctx")
        return "llama.cpp", int(size) if _is_size(size) else 0  # type: ignore[arg-type]
    info = await _maybe(server, "/info")
    if _is_size(info.get("max_total_tokens")):
        return "tgi", int(info["max_total_tokens"])
    loaded = await _maybe(server, "/api/ps")
    if isinstance(loaded.get("models"), list):
        entry = next((e for e in _entries(loaded["models"]) if model in (e.get("name"), e.get("model"))), {})
        return "ollama", _context_in(entry)
    studio = await _maybe(server, f"/api/v0/models/{model}")
    if studio.get("id") == model:
        return "lm-studio", _context_in(studio)
    version = await _maybe(server, "/version")
    return ("vllm", 0) if isinstance(version.get("version"), str) else ("", 0)


async def _maybe(server: Server, path: str) -> dict[str, Any]:
    try:
        answer = await server.get(path)
    except ServerError:
        return {}
    return answer if isinstance(answer, dict) else {}


async def try_out(server: Server, model: str) -> Accepted:
    """Returns what `server` accepts for `model`. Raises ServerError if not even a plain request works."""
    usage = await _accepts_usage(server, model)
    known = await _schema_fields(server)
    candidates = [name for name in FIELDS if known is None or name in known]
    if not candidates or await _accepts(server, model, candidates):
        fields = candidates
    else:
        fields = [name for name in candidates if await _accepts(server, model, [name])]
    prefix = ""
    if known is None or "continue_final_message" in known:
        prefix = "flag" if await _continues(server, model, CONTINUE) else ""
    if not prefix and await _continues(server, model, {}):
        prefix = "last"
    efforts = await probe_efforts(server, model)
    tools = await probe_tools(server, model)
    return Accepted(
        usage=usage,
        fields=frozenset(fields),
        prefix=prefix,
        tools=tools,
        images=await probe_images(server, model),
        efforts=efforts,
        thoughts=await probe_thoughts(server, model) if tools and usage else "",
    )


async def _accepts_usage(server: Server, model: str) -> bool:
    try:
        await _complete(server, model, HELLO, 1, {"stream_options": {"include_usage": True}})
    except Refused:
        await _complete(server, model, HELLO, 1, {})
        return False
    return True


async def _accepts(server: Server, model: str, names: list[str]) -> bool:
    try:
        await _complete(server, model, HELLO, 1, {name: VALUES[name] for name in names})
    except Refused:
        return False
    return True


async def _continues(server: Server, model: str, flags: Mapping[str, Any]) -> bool:
    try:
        text = await _complete(server, model, COUNTING, 12, flags)
    except Refused:
        return False
    return text.strip().lower().startswith(NEXT_NUMBER)


async def _schema_fields(server: Server) -> set[str] | None:
    """Returns the parameters in the server's OpenAPI schema; None if it publishes none."""
    schemas = (await _maybe(server, "/openapi.json")).get("components", {})
    schemas = schemas.get("schemas", {}) if isinstance(schemas, dict) else {}
    request = schemas.get("ChatCompletionRequest") if isinstance(schemas, dict) else None
    properties = request.get("properties") if isinstance(request, dict) else None
    return set(properties) if isinstance(properties, dict) else None


async def _complete(
    server: Server, model: str, messages: list[dict[str, str]], tokens: int, extra: Mapping[str, Any]
) -> str:
    body = {
        "model": model, "messages": messages, "stream": True, "max_tokens": tokens, "temperature": 0, **extra
    }  # fmt: skip
    return "".join([chunk.text async for chunk in server.complete(body)])
