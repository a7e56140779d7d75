"""Requests every entry point of a running service, with a canary in everything that people can write."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import secrets
import socket
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote

from django.urls import get_resolver
from websockets.sync.client import connect

from tests.grokweb.service import ROOT, Service

CANARY = "zebrafinch" + secrets.token_hex(6)
WILD = f"{CANARY} é'\"<{CANARY}>\n{CANARY}"  # is quoted, escaped and encoded by whoever prints it
METHODS = ("GET", "POST", "PATCH", "PUT", "DELETE")
CONVERTERS = {"uuid": lambda: str(uuid.uuid4()), "int": lambda: "7"}
FRAME_TYPES = ("send", "regenerate", "continue", "resume", "stop", CANARY)
SEND_TASKS = """
import json, sys, django
django.setup()
from grokweb.celery import app
app.loader.import_default_modules()
canary = sys.argv[1]
for name in [*sorted(app.tasks), canary]:
    if not name.startswith("celery."):
        queue = "jobs" if name.startswith("jobs.") else "chat"
        app.send_task(name, args=[canary, canary], kwargs={canary: canary}, queue=queue)
        app.send_task(name, args=[canary], queue=queue)
"""


def spellings() -> list[str]:
    """Returns the forms in which the canary might appear in a log."""
    encoded = [base64.b64encode(b"x" * shift + CANARY.encode()).decode()[4:-4] for shift in range(3)]
    return [CANARY, CANARY.encode().hex(), *encoded]


def paths() -> list[str]:
    """Returns every address of the site, with the canary where it accepts text."""
    return sorted({_filled(pattern) for pattern in _patterns(get_resolver())})


def _patterns(resolver: object, before: str = "") -> Iterator[str]:
    for each in resolver.url_patterns:  # type: ignore[attr-defined]
        pattern = before + str(each.pattern)
        if hasattr(each, "url_patterns"):
            yield from _patterns(each, pattern)
        else:
            yield pattern


def _filled(pattern: str) -> str:
    text = re.sub(
        r"<(?:(\w+):)?\w+>(?!\[)", lambda found: CONVERTERS.get(found[1] or "", lambda: CANARY)(), pattern
    )
    text = re.sub(r"\(\?P<\w+>[^)]*\)", CANARY, text)
    return "/" + re.sub(r"[\^$\\]|\(\?:|\)\?|\(|\)", "", text)


class Doors:
    """Sends requests as one person (a cookie) or as a stranger, and counts the answers."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.seen: Counter[int] = Counter()

    def ask(
        self, method: str, path: str, body: bytes = b"", cookie: str = "", kind: str = "", **extra: str
    ) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=30)
        headers = {
            "User-Agent": f"Browser/{CANARY}",
            "Referer": f"http://elsewhere.example/{CANARY}?{CANARY}",
            "Cookie": f"{cookie}; {CANARY}={CANARY}; grokweb_csrf={'c' * 32}",
            "X-CSRFToken": "c" * 32,
            "X-Forwarded-For": CANARY,
            "X-Anything": CANARY,
            "Accept-Language": f"en-{CANARY}",
            "Authorization": f"Bearer {CANARY}",
            **({"Content-Type": kind} if kind else {}),
            **extra,
        }
        try:
            connection.request(method, path, body or None, headers)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
        self.seen[status] += 1
        return status

    def knock_everywhere(self, cookie: str = "", *, methods: tuple[str, ...] = METHODS) -> None:
        query = f"?q={quote(WILD)}&{CANARY}={CANARY}&page={CANARY}&next=/{CANARY}&before={CANARY}"
        text = dict.fromkeys(("text", "title", "name", "content", "reason", "display_name", CANARY), WILD)
        form = "&".join(f"{name}={quote(WILD)}" for name in ("email", "login", "password", "code", "reason"))
        kinds = [
            (json.dumps(text).encode(), "application/json"),
            (form.encode(), "application/x-www-form-urlencoded"),
        ]
        for path in paths():
            if "logout" in path or "end-others" in path or "leave" in path:
                continue  # the person stays
            for method in methods:
                for body, kind in kinds if method != "GET" else [(b"", "")]:
                    self.ask(method, path + query, body, cookie, kind)

    def knock_badly(self, cookie: str) -> None:
        """Sends requests that reach no view."""
        self.ask("GET", f"/{CANARY}/{quote(WILD)}?{CANARY}", cookie=cookie)
        self.ask("GET", f"/api/{CANARY}/", cookie=cookie)
        self.ask("GET", "/", Host=f"{CANARY}.example.org")
        self.ask("POST", "/api/conversations/", f"{{{CANARY}".encode(), cookie, "application/json")
        self.ask("POST", "/api/conversations/", f"{CANARY}".encode() * 200_000, cookie, "application/json")
        self.ask("POST", "/accounts/login/", f"{CANARY}=".encode(), "", "multipart/form-data; boundary=x")
        self.ask("POST", "/accounts/login/", f"login={CANARY}".encode(), "", "x", **{"X-CSRFToken": CANARY})
        self.ask("GET", f"/?{'q' * 20_000}{CANARY}", cookie=cookie)
        for _ in range(7):  # too many for one address
            form = f"email={CANARY}@example.org".encode()
            self.ask("POST", "/accounts/password/reset/", form, kind="application/x-www-form-urlencoded")
        self.ask("GET", "/", cookie=cookie, **{"X-Long": CANARY * 3000})
        raw = (
            f"{CANARY} / HTTP/1.1\r\nHost: localhost\r\n\r\n",
            f"GET /{CANARY} HTTP/9.{CANARY}\r\n\r\n",
            f"GET / HTTP/1.1\r\n{CANARY}\r\n\r\n",
            f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {CANARY}\r\n\r\n",
            f"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}\r\n",
            f"GET /ws/?{CANARY} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: {CANARY}\r\nSec-WebSocket-Key: {CANARY}\r\n\r\n",
            f"GET /{CANARY} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
            f"Sec-WebSocket-Protocol: {CANARY}\xe9\r\nOrigin: http://{CANARY}\r\n\r\n",
        )
        for each in raw:
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.service.port)) as line,
            ):
                line.settimeout(5)
                line.sendall(each.encode("latin-1"))
                line.recv(4096)

    def speak(self, cookie: str) -> None:
        """Sends every kind of frame, valid and invalid."""
        address = f"127.0.0.1:{self.service.port}"
        with connect(
            f"ws://{address}/ws/?{CANARY}={CANARY}",
            additional_headers={"Cookie": f"{cookie}; {CANARY}={CANARY}", "X-Anything": CANARY},
            origin=f"http://{address}",  # type: ignore[arg-type]
            user_agent_header=CANARY,
        ) as line:
            line.recv(timeout=30)
            for kind in FRAME_TYPES:
                for value in (CANARY, str(uuid.uuid4()), None, 3, [CANARY], {CANARY: CANARY}):
                    names = (
                        "conversation",
                        "parent",
                        "content",
                        "client_id",
                        "message_id",
                        "files",
                        "params",
                    )
                    frame = {
                        "type": kind,
                        **dict.fromkeys(names, value),
                        "ref": CANARY,
                        "start": {CANARY: CANARY},
                    }
                    line.send(json.dumps(frame))
            line.send(
                json.dumps(
                    {"type": "send", "conversation": None, "content": f"echo:{WILD}", "client_id": CANARY}
                )
            )
            line.send(f"{{{CANARY}")
            line.send(CANARY.encode())
            with contextlib.suppress(TimeoutError):
                while True:
                    line.recv(timeout=2)
            line.send(CANARY * 10_000)  # too long: the socket closes

    def send_tasks(self) -> None:
        """Sends every task with arguments that it cannot accept, and one that does not exist."""
        subprocess.run(
            [sys.executable, "-c", SEND_TASKS, CANARY],
            cwd=ROOT,
            env=self.service.environment,
            check=True,
            capture_output=True,
            timeout=120,
        )
