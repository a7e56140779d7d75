"""Talks to one OpenAI-compatible server: small JSON answers, and streams of chat completions.

A stream is closed by leaving it (cancellation of the task included): the connection is dropped, so the server
notices at once that nobody reads. Nothing here logs or repeats what a request or an answer holds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx

from inference.base import outbound
from inference.servers.chunks import Chunk, read_chunk
from inference.servers.errors import (
    Broken,
    Busy,
    KeyRefused,
    Refused,
    ServerError,
    Silent,
    Unreachable,
    WebPage,
)

JSON_BYTES = 4 * 2**20  # an answer that is not a stream: a list of models, a schema
ERROR_BYTES = 64 * 2**10
ERROR_SECONDS = 5.0  # for the body of an error
EVENT_BYTES = 2**20
LATER_SECONDS = 0.1  # a deadline is moved in such steps: not for each of hundreds of chunks a second
BUSY = {429, 503, 529}
RETRY_AFTER_MOST = 60.0  # seconds
LAST_USAGE_SECONDS = 5.0  # after the finish: for the usage and the end of the stream

# Words of the servers' messages for a prompt that is too long; they differ, and there is no common code.
TOO_LONG = (
    "context length", "context_length", "context size", "context window", "maximum context", "too long",
    "too many tokens", "max_model_len", "n_ctx", "exceeds the available", "max_total_tokens", "longer than",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `first`: until the first chunk, as prompts take minutes to read; `next`: between chunks."""

    connect: float = 10.0
    first: float = 600.0
    next: float = 120.0
    probe: float = 5.0
    backoff: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)  # before each further try


class Server:
    """One replica. `transport` is the guarded one (inference/outbound); tests may pass another."""

    def __init__(
        self, base: str, *, key: str, transport: httpx.AsyncBaseTransport, timeouts: Timeouts
    ) -> None:
        self.base = base
        self._timeouts = timeouts
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # The timers here are `asyncio.timeout`s: httpx knows none that differs before and after the first
        # chunk.
        limits = httpx.Timeout(None, connect=timeouts.connect)
        self._client = httpx.AsyncClient(
            transport=transport, headers=headers, timeout=limits, follow_redirects=False, trust_env=False
        )

    async def close(self) -> None:
        await self._client.aclose()

    # --- Small answers ------------------------------------------------------------------------------------

    async def get(self, path: str) -> Any:
        """Returns the JSON at `path`, which follows the base, or the server's root with a leading slash."""
        return await self._small("GET", self._url(path), None)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return await self._small("POST", self._url(path), body)

    def _url(self, path: str) -> str:
        if not path.startswith("/"):
            return f"{self.base}/{path}"
        scheme, _, rest = self.base.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}{path}"

    async def _small(self, method: str, url: str, body: Mapping[str, Any] | None) -> Any:
        try:
            async with (
                asyncio.timeout(self._timeouts.probe),
                self._client.stream(method, url, json=body) as response,
            ):
                await _check_status(response)
                raw = await _read(response, JSON_BYTES)
        except TimeoutError:
            raise Silent("the server did not answer in time") from None
        except httpx.HTTPError as error:
            raise _transport_error(error) from None
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise Broken("the server's answer is not JSON") from None

    # --- Streams ------------------------------------------------------------------------------------------

    async def complete(self, body: Mapping[str, Any], *, request_id: str = "") -> AsyncGenerator[Chunk, None]:
        """Yields the chunks of one completion up to its end. `request_id` names it in the server's log.

        Raises ServerError. Broken, too, for a stream that ends without the server's word for the end.
        """
        finished = False
        try:
            async with asyncio.timeout(self._timeouts.first) as limit:
                async with contextlib.aclosing(self._chunks(body, request_id)) as chunks:
                    async for chunk in chunks:
                        if chunk is None:
                            break
                        if not finished:
                            yield chunk
                        elif chunk.usage:
                            yield Chunk(usage=chunk.usage)
                        finished = finished or bool(chunk.finish)
                        later = _later(LAST_USAGE_SECONDS if finished else self._timeouts.next)
                        if abs(later - (limit.when() or 0)) > LATER_SECONDS:
                            limit.reschedule(later)
        except TimeoutError:
            if not finished:
                raise Silent("the server sent nothing for too long") from None
        except ServerError:
            if not finished:
                raise
        if not finished:
            raise Broken("the stream was cut")

    async def _chunks(self, body: Mapping[str, Any], request_id: str) -> AsyncGenerator[Chunk | None, None]:
        """Yields the chunks, then None for `[DONE]`."""
        headers = {"X-Request-Id": request_id} if request_id else {}
        url = self._url("chat/completions")
        try:
            async with self._client.stream("POST", url, json=body, headers=headers) as response:
                await _check_status(response)
                async for event in httpx.EventSource(response, max_event_size=EVENT_BYTES):
                    if event.data == "[DONE]":
                        yield None
                        return
                    yield read_chunk(event.data)
        except httpx.HTTPError as error:
            raise _transport_error(error) from None


def _later(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


async def _read(response: httpx.Response, limit: int) -> bytes:
    """Raises Broken for a body of more than `limit` bytes."""
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > limit:
            raise Broken(f"the server's answer is larger than {limit:,} bytes")
        parts.append(part)
    return b"".join(parts)


async def _check_status(response: httpx.Response) -> None:
    status = response.status_code
    if status == 200:
        if response.headers.get("content-type", "").lower().startswith("text/html"):
            raise WebPage("the server's answer is a web page")
        return
    if status in BUSY:
        raise Busy(f"the server is busy (status {status})", retry_after=_retry_after(response))
    if status in {401, 403}:
        raise KeyRefused(f"the server refuses the key (status {status})", status=status)
    if 300 <= status < 400:
        raise Refused(f"the server redirects (status {status}), which is not followed", status=status)
    if 400 <= status < 500:
        said = (await _error_text(response)).lower()
        too_long = status == 413 or any(words in said for words in TOO_LONG)
        raise Refused(f"the server refuses the request (status {status})", status=status, too_long=too_long)
    raise Broken(f"the server failed (status {status})")


async def _error_text(response: httpx.Response) -> str:
    """Returns the beginning of an error's body, to be searched and never shown: it may quote the prompt."""
    try:
        async with asyncio.timeout(ERROR_SECONDS):
            return (await _read(response, ERROR_BYTES)).decode("utf-8", "replace")
    except (TimeoutError, httpx.HTTPError, Broken):
        return ""


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return min(max(float(response.headers.get("retry-after", "")), 0.0), RETRY_AFTER_MOST)
    except ValueError:
        return None


def _transport_error(error: httpx.HTTPError) -> ServerError:
    name = type(error).__name__
    if isinstance(error.__cause__, outbound.Refused):
        return Refused(f"not allowed ({error.__cause__})", status=0, reason=error.__cause__.reason)
    if isinstance(error.__cause__, outbound.Unreachable):
        return Unreachable(f"no connection ({error.__cause__})")
    if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol)):
        return Unreachable(f"no connection ({name})")
    if isinstance(error, httpx.TimeoutException):
        return Silent(f"no answer in time ({name})")
    return Broken(f"the connection broke ({name})")
