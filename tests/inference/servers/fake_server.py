"""An OpenAI-compatible server on loopback that behaves as a test says, down to the byte.

async def answer(call: Call) -> None:
    await call.send(stream("Hello", " you"))

with FakeServer(answer) as server: …
"""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO

MODEL = "tiny"


def event(text: str = "", *, finish: str | None = None, **more: Any) -> str:
    """Returns one chunk of a completion as a server-sent event."""
    delta = {key: value for key, value in {"content": text, **more.pop("delta", {})}.items() if value}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return data({"id": "c1", "object": "chat.completion.chunk", "choices": [choice], **more})


def data(value: Any) -> str:
    return f"data: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}\n\n"


def usage(prompt: int, completion: int) -> str:
    return data({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}})


def stream(*texts: str, finish: str = "stop", end: str = "data: [DONE]\n\n") -> bytes:
    """Returns the body of a whole stream."""
    return "".join([*(event(text) for text in texts), event(finish=finish), end]).encode()


def head(status: int = 200, *, content_type: str = "text/event-stream", extra: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\n{extra}Connection: close\r\n\r\n".encode()


def message(status: int, body: Any, *, extra: str = "") -> bytes:
    raw = json.dumps(body).encode()
    length = f"Content-Length: {len(raw)}\r\n{extra}"
    return head(status, content_type="application/json", extra=length) + raw


@dataclass
class Call:
    """A request to the server, and the way to answer it."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    connection: socket.socket
    was_left: threading.Event = field(default_factory=threading.Event)  # the client closed its connection

    def send(self, raw: bytes) -> None:
        self.connection.sendall(raw)

    def ok(self, *texts: str, **options: Any) -> None:
        self.send(head() + stream(*texts, **options))

    def refuse(self, reason: str) -> None:
        self.send(message(400, {"error": {"message": reason}}))

    def until_left(self) -> None:
        """Waits until the client closes its connection."""
        while self.connection.recv(1024):
            pass
        self.was_left.set()


Answer = Callable[[Call], None]


class FakeServer:
    """`answer` gets the completions, `probe` those of the trial; `calls` and `probes` keep them."""

    def __init__(
        self, answer: Answer, *, probe: Answer | None = None, models: Any = None, port: int = 0
    ) -> None:
        self.answer = answer
        self.probe = probe or (lambda call: call.ok("yes"))
        self.models = {"data": [{"id": MODEL}]} if models is None else models
        self.calls: list[Call] = []
        self.probes: list[Call] = []
        self._open: set[socket.socket] = set()
        fake = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                fake._open.add(self.connection)
                try:
                    call = _read_call(self.rfile, self.connection)
                    if call is not None:
                        fake._reply(call)
                except OSError:
                    pass  # the client left, or the test ends
                finally:
                    fake._open.discard(self.connection)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> FakeServer:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()  # waits for the handlers
        self._thread.join()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def _reply(self, call: Call) -> None:
        if call.path == "/v1/models":
            call.send(message(200, self.models))
        elif not call.path.endswith("/chat/completions"):
            call.send(message(404, {"error": "no such path"}))
        elif is_probe(call.body):
            self.probes.append(call)
            self.probe(call)
        else:
            self.calls.append(call)
            self.answer(call)


def is_probe(body: Any) -> bool:
    content = body["messages"][0]["content"]
    text = content if isinstance(content, str) else content[-1]["text"]
    return bool(text.startswith(("Say: yes", "Write the numbers from one", "Which colour is this image?")))


def _read_call(stream: BinaryIO, connection: socket.socket) -> Call | None:
    first = stream.readline().decode("latin-1").split(" ")
    if len(first) != 3:
        return None  # the client connected and left
    headers = {}
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    size = int(headers.get("content-length", "0"))
    return Call(first[0], first[1], headers, json.loads(stream.read(size)) if size else None, connection)


def script(*answers: Answer) -> Answer:
    """Returns an answer that behaves differently from call to call; the last one stays."""
    left = list(answers)

    def answer(call: Call) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(call)

    return answer
