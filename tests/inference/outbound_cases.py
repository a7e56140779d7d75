"""Answers of servers that misbehave, with the reason for which a client gives each one up, and good ones."""

from __future__ import annotations

import gzip
import socket
import threading
import zlib

from inference.base.outbound import Limits
from tests.inference.outbound_servers import Script, answer, says

SMALL = Limits(header_bytes=8192, body_bytes=100_000, decoded_bytes=200_000, total_seconds=20)
IMPATIENT = Limits(silent_seconds=0.2, total_seconds=20)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\n\r\n"


def forever(start: bytes, piece: bytes) -> Script:
    """Sends pieces until the client hangs up."""

    def script(sock: socket.socket, request: bytes) -> None:
        sock.sendall(start)
        while True:
            sock.sendall(piece)

    return script


def slowly(start: bytes, piece: bytes, seconds: float) -> Script:
    """Sends a piece from time to time until the client hangs up."""

    def script(sock: socket.socket, request: bytes) -> None:
        sock.sendall(start)
        while not threading.Event().wait(seconds):
            sock.sendall(piece)

    return script


def silent(start: bytes) -> Script:
    def script(sock: socket.socket, request: bytes) -> None:
        sock.sendall(start)
        sock.recv(1)  # until the client hangs up

    return script


# Each of these bodies is "hello".
SAYING_HELLO = {
    "length": answer(b"hello"),
    "until the end": PLAIN + b"hello",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "chunked": CHUNKED + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
    "after 100": b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"hello"),
    "gzip": answer(gzip.compress(b"hello"), "Content-Encoding: gzip"),
    "two members": answer(gzip.compress(b"he") + gzip.compress(b"llo"), "Content-Encoding: GZIP"),
    "deflate": answer(zlib.compress(b"hello"), "Content-Encoding: deflate"),
    "raw deflate": answer(zlib.compress(b"hello", wbits=-15), "Content-Encoding: deflate"),
    "identity": answer(b"hello", "Content-Encoding: identity"),
}

# Answers without an end, against the limits of SMALL
ENDLESS: dict[str, tuple[Script, str]] = {
    "headers": (forever(b"HTTP/1.1 200 OK\r\n", b"X-Header: again\r\n"), "headers_too_large"),
    "one header": (forever(b"HTTP/1.1 200 OK\r\nX-Long: ", b"a" * 1000), "headers_too_large"),
    "status line": (forever(b"HTTP/1.1 ", b"2" * 1000), "headers_too_large"),
    "100 Continue": (forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "headers_too_large"),
    "body": (forever(PLAIN, b"a" * 1000), "body_too_large"),
    "chunks": (forever(CHUNKED, b"3e8\r\n" + b"a" * 1000 + b"\r\n"), "body_too_large"),
    "tiny chunks": (forever(CHUNKED, b"1\r\na\r\n"), "body_too_large"),
    "chunk extensions": (forever(CHUNKED, b"1;" + b"x" * 900 + b"\r\na\r\n"), "body_too_large"),
    "trailers": (forever(CHUNKED + b"0\r\n", b"X-Trailer: again\r\n"), "body_too_large"),
    "huge chunk": (forever(CHUNKED + b"ffffffffffffffff\r\n", b"a" * 1000), "body_too_large"),
    "announced": (silent(b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n"), "body_too_large"),
    "gzip bomb": (
        says(answer(gzip.compress(bytes(5_000_000)), "Content-Encoding: gzip")),
        "decoded_too_large",
    ),
    "deflate bomb": (
        says(answer(zlib.compress(bytes(5_000_000)), "Content-Encoding: deflate")),
        "decoded_too_large",
    ),
}

# Starts after which a server says nothing more
SILENT = {
    "at once": b"",
    "in the status line": b"HTTP/1.1 200",
    "in the headers": b"HTTP/1.1 200 OK\r\nX-A:",
    "before the body": PLAIN,
    "in a chunk": CHUNKED + b"5\r\nhe",
}

# Answers that break the protocol
BROKEN = {
    "HTTP/0.9": (b"hello, this is HTTP/0.9", "malformed"),
    "no status line": (b"<html>no headers at all</html>\r\n\r\n", "malformed"),
    "status of letters": (b"HTTP/1.1 abc OK\r\n\r\n", "malformed"),
    "low status": (b"HTTP/1.1 99 Low\r\n\r\n", "malformed"),
    "HTTP/2": (b"HTTP/2.0 200 OK\r\n\r\n", "malformed"),
    "SSH": (b"SSH-2.0-OpenSSH_9.6\r\n", "malformed"),
    "upgrade": (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "malformed"),
    "negative length": (answer(b"hello", "Content-Length: -5"), "malformed"),
    "signed length": (answer(b"hello", "Content-Length: +5"), "malformed"),
    "two lengths": (answer(b"hello", "Content-Length: 5", "Content-Length: 6"), "malformed"),
    "nothing": (b"", "cut"),
    "too short": (answer(b"hello", "Content-Length: 6"), "cut"),
    "cut in a chunk": (CHUNKED + b"5\r\nhel", "cut"),
    "no last chunk": (CHUNKED + b"5\r\nhello\r\n", "cut"),
    "negative chunk": (CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n", "malformed"),
    "signed chunk": (CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n", "malformed"),
    "chunk with 0x": (CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n", "malformed"),
    "chunk with _": (CHUNKED + b"0_5\r\nhello\r\n0\r\n\r\n", "malformed"),
    "chunk without size": (CHUNKED + b"\r\nhello\r\n0\r\n\r\n", "malformed"),
    "chunk of 25 digits": (CHUNKED + b"1" * 25 + b"\r\nhello", "malformed"),
    "cut gzip": (answer(gzip.compress(b"hello")[:-4], "Content-Encoding: gzip"), "cut"),
    "cut deflate": (answer(zlib.compress(b"hello")[:-1], "Content-Encoding: deflate"), "cut"),
    "no gzip": (answer(b"hello", "Content-Encoding: gzip"), "encoding"),
    "after gzip": (answer(gzip.compress(b"hello") + b"rest", "Content-Encoding: gzip"), "encoding"),
    "after deflate": (answer(zlib.compress(b"hello") + b"rest", "Content-Encoding: deflate"), "encoding"),
    "brotli": (answer(b"hello", "Content-Encoding: br"), "encoding"),
    "twice": (answer(b"hello", "Content-Encoding: gzip, gzip"), "encoding"),
    "twice, two lines": (
        answer(b"hello", "Content-Encoding: gzip", "Content-Encoding: gzip"),
        "encoding",
    ),
}

# Where a redirect may not lead
HOSTILE_REDIRECTS = [
    ("http://127.0.0.2/", "loopback"),
    ("//127.0.0.2/", "loopback"),
    ("http://10.0.0.1/", "private"),
    ("http://169.254.169.254/latest/", "metadata"),
    ("http://localhost/", "local_name"),
    ("http://2130706433/", "unusual_ipv4"),
    ("http://user@127.0.0.2/", "user_info"),
    ("ftp://127.0.0.2/", "scheme"),
    ("file:///etc/passwd", "scheme"),
    ("javascript:alert(1)", "scheme"),
    ("/a\tb", "characters"),
    ("/a b", "characters"),
    ("\\\\127.0.0.2\\", "characters"),
    ("http://[::1", "host"),
]
