"""Transports for httpx clients, such as huggingface_hub's, under a policy of `inference.base.outbound`.

    httpx2.Client(transport=GuardedTransport(Policy("hub")), trust_env=False)

HTTP is parsed by the library. Lookups, addresses, limits, redirects and decompression are the guard's: the
transport connects only to addresses that the guard checked, decodes the body itself within the limits, and
shares one total time between a request and its redirects. Each request has its own connection.

An error is an httpx error whose `__cause__` is the OutboundError.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import httpcore2
import httpx2

from inference.base.outbound.counting import CLOSED, COMPLETE
from inference.base.outbound.errors import Unreachable
from inference.base.outbound.guard import Resolver, system_resolver
from inference.base.outbound.policy import Policy
from inference.outbound.asyncio_wire import AsyncBackend
from inference.outbound.httpx_exchange import FAILURES, Exchange, extensions_of, tls_error

# --- Without asyncio ---------------------------------------------------------------------------------------


class GuardedTransport(httpx2.BaseTransport):
    """A transport for `httpx2.Client`. Threads can share it."""

    def __init__(self, policy: Policy, resolver: Resolver = system_resolver) -> None:
        self._policy, self._resolver = policy, resolver
        self._tls = policy.tls_context()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = Exchange(self._policy, self._resolver, request)
        try:
            with contextlib.ExitStack() as unless_accepted:
                sent = exchange.begin()
                connection = httpcore2.HTTPConnection(
                    exchange.url().origin, self._tls, network_backend=Backend(exchange)
                )
                unless_accepted.callback(connection.close)
                answer = connection.handle_request(sent)
                headers = exchange.accept(answer)
                unless_accepted.pop_all()
        except FAILURES as error:
            cause = exchange.failed(error)
            raise exchange.httpx_error(cause) from cause
        stream = Stream(exchange, connection, answer)
        return httpx2.Response(
            answer.status, headers=headers, stream=stream, extensions=extensions_of(answer)
        )


class Backend(httpcore2.NetworkBackend):
    """Connects to the addresses that the guard checked, whatever name the library asks for."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        meter, system = self._exchange.meter, httpcore2.SyncBackend()
        for address in self._exchange.addresses():
            seconds = meter.wait(self._exchange.policy.limits.connect_seconds)
            with contextlib.suppress(httpcore2.ConnectError, httpcore2.ConnectTimeout):
                made = system.connect_tcp(
                    str(address), self._exchange.target.port, seconds, socket_options=()
                )
                return Wire(self._exchange, made)
        raise Unreachable("connect")


class Wire(httpcore2.NetworkStream):
    """The bytes of one connection, within the meter's limits."""

    def __init__(self, exchange: Exchange, inner: httpcore2.NetworkStream) -> None:
        self._exchange, self._meter, self._inner = exchange, exchange.meter, inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        seconds = self._meter.wait(timeout)
        try:
            data = self._inner.read(max_bytes, seconds)
        except httpcore2.ReadTimeout:
            raise self._meter.timed_out() from None
        self._meter.add(len(data))
        self._exchange.ended = not data
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        seconds = self._meter.wait(timeout)
        try:
            self._inner.write(buffer, seconds)
        except httpcore2.WriteTimeout:
            raise self._meter.timed_out() from None

    def close(self) -> None:
        """Ends the connection at once, also for a thread that is reading from it."""
        if sock := self._inner.get_extra_info("socket"):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        seconds = self._meter.wait(self._meter.limits.connect_seconds)
        try:
            return Wire(self._exchange, self._inner.start_tls(ssl_context, server_hostname, seconds))
        except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
            raise tls_error(error) from None

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class Stream(httpx2.SyncByteStream):
    """The decoded body of one answer."""

    def __init__(
        self, exchange: Exchange, connection: httpcore2.HTTPConnection, answer: httpcore2.Response
    ) -> None:
        self._exchange, self._connection, self._answer = exchange, connection, answer

    def __iter__(self) -> Iterator[bytes]:
        body = self._exchange.body
        assert body is not None
        try:
            for data in self._answer.iter_stream():
                yield from body.feed(data)
            body.finish()
        except FAILURES as error:
            self._connection.close()
            cause = self._exchange.failed(error)
            raise self._exchange.httpx_error(cause) from cause
        self._exchange.ending.count(COMPLETE)

    def close(self) -> None:
        self._exchange.ending.count(CLOSED)
        self._connection.close()


# --- With asyncio ------------------------------------------------------------------------------------------


class AsyncGuardedTransport(httpx2.AsyncBaseTransport):
    """A transport for `httpx2.AsyncClient`."""

    def __init__(self, policy: Policy, resolver: Resolver = system_resolver) -> None:
        self._policy, self._resolver = policy, resolver
        self._tls = policy.tls_context()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = Exchange(self._policy, self._resolver, request)
        try:
            async with contextlib.AsyncExitStack() as unless_accepted:
                sent = exchange.begin()
                connection = httpcore2.AsyncHTTPConnection(
                    exchange.url().origin, self._tls, network_backend=AsyncBackend(exchange)
                )
                unless_accepted.push_async_callback(connection.aclose)
                answer = await connection.handle_async_request(sent)
                headers = exchange.accept(answer)
                unless_accepted.pop_all()
        except FAILURES as error:
            cause = exchange.failed(error)
            raise exchange.httpx_error(cause) from cause
        stream = AsyncStream(exchange, connection, answer)
        return httpx2.Response(
            answer.status, headers=headers, stream=stream, extensions=extensions_of(answer)
        )


class AsyncStream(httpx2.AsyncByteStream):
    """The decoded body of one answer."""

    def __init__(
        self, exchange: Exchange, connection: httpcore2.AsyncHTTPConnection, answer: httpcore2.Response
    ) -> None:
        self._exchange, self._connection, self._answer = exchange, connection, answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        body = self._exchange.body
        assert body is not None
        try:
            async for data in self._answer.aiter_stream():
                for piece in body.feed(data):
                    yield piece
            body.finish()
        except FAILURES as error:
            await self._connection.aclose()
            cause = self._exchange.failed(error)
            raise self._exchange.httpx_error(cause) from cause
        self._exchange.ending.count(COMPLETE)

    async def aclose(self) -> None:
        self._exchange.ending.count(CLOSED)
        await self._connection.aclose()
