"""Finds OpenAI-compatible servers on this machine's usual ports, and asks a server one short question.

Nothing is asked unless an administrator presses a button. Requests go through the guarded client, as those of
the engine do, with short times. Imported only then: it loads the HTTP client of the engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from grokweb.first_setup.refusal import Refusal
from inference.base.outbound import Client, Limits, Listed, OutboundError, Policy
from inference.engines.openai import guarded_transport
from inference.servers.address import LONGEST_MODEL, ServedModel, parse_address
from inference.servers.chunks import Chunk
from inference.servers.client import Server, Timeouts
from inference.servers.errors import Broken, Busy, KeyRefused, Refused, ServerError, Silent, Unreachable

PORTS = {"Ollama": 11434, "llama.cpp": 8080, "vLLM": 8000, "LM Studio": 1234}
MOST_MODELS = 100  # of one server
SEARCH = Limits(connect_seconds=2, silent_seconds=5, total_seconds=5, body_bytes=2**20, decoded_bytes=2**22)
TRIAL = Timeouts(connect=3, first=30, next=10)  # the first question may load the model
TRIAL_TOKENS = 16
TRIAL_LETTERS = 200
QUESTION = [{"role": "user", "content": "Say hello in one word."}]


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server on a usual port, and the models that it lists."""

    name: str  # whose usual port it is
    url: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """The answer to a short question, and the seconds that it took."""

    text: str
    seconds: float


def search() -> list[FoundServer]:
    """Asks all usual ports at once, without that of this service. Takes five seconds at most."""
    asked = [(name, port) for name, port in PORTS.items() if port != settings.PORT]
    with ThreadPoolExecutor(max_workers=len(PORTS) or 1, thread_name_prefix="search") as pool:
        return [found for found in pool.map(lambda each: _listed(*each), asked) if found]


def _listed(name: str, port: int) -> FoundServer | None:
    url = f"http://127.0.0.1:{port}/v1"
    try:
        with Client(Policy("engine", Listed().with_url(url), SEARCH)).get(f"{url}/models") as response:
            answer = json.loads(response.read()) if response.status == 200 else None
    except (OutboundError, ValueError, RecursionError):
        return None
    listed = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(listed, list):
        return None
    names = [str(each.get("id")) for each in listed if isinstance(each, dict) and each.get("id")]
    usable = [each for each in names if each.isprintable() and len(each) <= LONGEST_MODEL]
    return FoundServer(name, url, tuple(usable[:MOST_MODELS]))


def try_out(source: str, key: str) -> Trial:
    """Asks the model one short question. Raises Refusal with the plain reason, and ModelUnusable."""
    return asyncio.run(_tried(parse_address(source), key))


async def _tried(served: ServedModel, key: str) -> Trial:
    started = time.monotonic()
    body = {"model": served.model, "messages": QUESTION, "stream": True, "max_tokens": TRIAL_TOKENS}
    try:
        async with _server(ServedModel(served.bases[:1], served.model), key, TRIAL) as server:
            chunks = [chunk async for chunk in server.complete(body)]
    except ServerError as error:
        raise Refusal(_words(error)) from None
    return Trial(_text(chunks), time.monotonic() - started)


def _text(chunks: list[Chunk]) -> str:
    text = "".join(chunk.text for chunk in chunks).strip()
    return " ".join(text.split())[:TRIAL_LETTERS]


def _words(error: ServerError) -> str:
    if isinstance(error, KeyRefused):
        return _("The server refuses the key.")
    if isinstance(error, Unreachable):
        return _("There is no connection to the server: is it running, and is the address right?")
    if isinstance(error, Silent):
        return _("The server did not answer in time. If it is still loading the model, test again.")
    if isinstance(error, Busy):
        return _("The server is busy. Test again in a moment.")
    if isinstance(error, Refused) and error.status == 404:
        return _("The server does not know this model, or its address is another one.")
    if isinstance(error, Refused):
        return _("The server refuses the request: is the model's name right, and can it chat?")
    assert isinstance(error, Broken)
    return _("The server's answer cannot be used: is it an OpenAI-compatible server?")


@contextlib.asynccontextmanager
async def _server(served: ServedModel, key: str, timeouts: Timeouts) -> AsyncIterator[Server]:
    made = Server(served.bases[0], key=key, transport=guarded_transport(served), timeouts=timeouts)
    try:
        yield made
    finally:
        await made.close()
