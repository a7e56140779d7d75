"""Opens one connection to a checked address and bounds every step on it."""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any

from inference.base.outbound.addresses import IP, Target
from inference.base.outbound.errors import Unreachable
from inference.base.outbound.metering import Meter


class Connection(io.RawIOBase):
    """A socket that reads within a meter's limits. `http.client` sees it through `AsSocket`."""

    def __init__(self, sock: socket.socket, meter: Meter) -> None:
        self._sock = sock
        self._meter = meter

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self._sock.settimeout(self._meter.wait())
        try:
            count = self._sock.recv_into(buffer)
        except TimeoutError:
            raise self._meter.timed_out() from None
        self._meter.add(count)
        return count

    def send_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._sock.settimeout(self._meter.wait())
            try:
                view = view[self._sock.send(view) :]
            except TimeoutError:
                raise self._meter.timed_out() from None

    def drop(self) -> None:
        """Ends the connection at once, also for a thread that is reading from it."""
        with contextlib.suppress(OSError):  # the other side may have ended it
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


class AsSocket:
    """Offers the three methods that `http.client` calls; the connection ends with the answer, not before."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def sendall(self, data: bytes) -> None:
        self._connection.send_all(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self._connection, 64 * 1024)

    def close(self) -> None:
        """Leaves the connection open: `http.client` calls this when the headers say that it will end."""


def open_connection(
    target: Target, addresses: Sequence[IP], meter: Meter, tls: ssl.SSLContext | None
) -> Connection:
    """Connects to the first address that answers; the certificate must be valid for the target's name."""
    sock = _connected(addresses, target.port, meter)
    if tls is None:
        return Connection(sock, meter)
    try:
        sock.settimeout(meter.wait(meter.limits.connect_seconds))
        return Connection(tls.wrap_socket(sock, server_hostname=target.host), meter)
    except ssl.SSLCertVerificationError:
        sock.close()
        raise Unreachable("certificate") from None
    except OSError:
        sock.close()
        raise Unreachable("tls") from None


def _connected(addresses: Sequence[IP], port: int, meter: Meter) -> socket.socket:
    until = time.monotonic() + meter.limits.connect_seconds
    for address in addresses:
        seconds = max(meter.wait(until - time.monotonic()), 0.001)
        sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6)
        try:
            sock.settimeout(seconds)
            sock.connect((str(address), port))
        except OSError:
            sock.close()
            continue
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    raise Unreachable("connect")
