"""The bytes of one connection under asyncio, for the asynchronous transport.

httpcore's own backend sets up a cancel scope, and stops and starts listening to the socket, for each read. A
streamed answer is hundreds of small reads, so here one timer per connection watches them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterable
from typing import Any

import anyio
import httpcore2

from inference.base.outbound.errors import Unreachable
from inference.outbound.httpx_exchange import Exchange, tls_error

NAMES = {"client_addr": "sockname", "server_addr": "peername"}  # httpcore's names by asyncio's


class AsyncBackend(httpcore2.AsyncNetworkBackend):
    """Connects to the addresses that the guard checked, whatever name the library asks for."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        exchange = self._exchange
        for address in await anyio.to_thread.run_sync(exchange.addresses, abandon_on_cancel=True):
            seconds = exchange.meter.wait(exchange.policy.limits.connect_seconds)
            with contextlib.suppress(OSError):  # TimeoutError is one
                async with asyncio.timeout(seconds):
                    reader, writer = await asyncio.open_connection(str(address), exchange.target.port)
                return AsyncWire(exchange, reader, writer)
        raise Unreachable("connect")


class AsyncWire(httpcore2.AsyncNetworkStream):
    """The bytes of one connection, within the meter's limits."""

    def __init__(
        self, exchange: Exchange, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._exchange, self._meter = exchange, exchange.meter
        self._reader, self._writer = reader, writer
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._deadline: float | None = None  # of the read under way
        self._is_late = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self._deadline = self._loop.time() + self._meter.wait(timeout)
        if self._timer is None:
            self._timer = self._loop.call_at(self._deadline, self._look)
        elif self._deadline < self._timer.when():
            self._timer.cancel()
            self._timer = self._loop.call_at(self._deadline, self._look)
        try:
            data = await self._reader.read(max_bytes)
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from error
        finally:
            self._deadline = None
        if self._is_late:
            raise self._meter.timed_out()
        self._meter.add(len(data))
        self._exchange.ended = not data
        return data

    def _look(self) -> None:
        """Ends the read under way if its time is over, else looks again when it will be."""
        self._timer = None
        if self._deadline is None:
            return
        if self._loop.time() < self._deadline:
            self._timer = self._loop.call_at(self._deadline, self._look)
        else:
            self._is_late = True
            self._writer.transport.abort()  # the read returns

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            async with asyncio.timeout(self._meter.wait(timeout)):
                self._writer.write(buffer)
                await self._writer.drain()
        except TimeoutError:
            raise self._meter.timed_out() from None
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from error

    async def aclose(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._writer.transport.abort()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        seconds = self._meter.wait(self._meter.limits.connect_seconds)
        try:
            async with asyncio.timeout(seconds):
                await self._writer.start_tls(ssl_context, server_hostname=server_hostname)
        except OSError as error:  # ssl.SSLError and TimeoutError are
            self._writer.transport.abort()
            failed = httpcore2.ConnectError(str(error))
            failed.__cause__ = error
            raise tls_error(failed) from None
        return self

    def get_extra_info(self, info: str) -> Any:
        return self._writer.get_extra_info(NAMES.get(info, info))
