"""A Hugging Face hub on loopback: serves folders as repositories, and misbehaves as a test says.

with FakeHub({"acme/tiny": Repository(folder)}) as hub:
    hub.on = lambda call: call.status(503) if call.file == "model.safetensors" else None
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

INFO = re.compile(r"/api/models/([^/]+/[^/]+)(?:/revision/(.+))?")
FILE = re.compile(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
STORED = re.compile(r"/stored/([0-9a-f]{64})")
RANGE = re.compile(r"bytes=(\d+)-(\d*)")
PIECE = 16 * 1024


@dataclass
class Repository:
    """A folder as a repository. Weights lie in LFS, the rest in git; `listed` changes what the hub says."""

    folder: Path
    commit: str = "c" * 40
    revisions: tuple[str, ...] = ("main",)
    gated: str | bool = False
    needs_token: bool = False
    card: dict[str, Any] = field(default_factory=lambda: {"license": "apache-2.0"})
    listed: dict[str, dict[str, Any]] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()

    def info(self, name: str) -> dict[str, Any]:
        files = [path for path in sorted(self.folder.rglob("*")) if path.is_file()]
        names = [path.relative_to(self.folder).as_posix() for path in files]
        siblings = [
            self._listed(path, name)
            for path, name in zip(files, names, strict=True)
            if name not in self.hidden
        ]
        return {
            "id": name,
            "modelId": name,
            "sha": self.commit,
            "private": False,
            "gated": self.gated,
            "cardData": self.card,
            "siblings": siblings,
            "tags": [],
        }

    def _listed(self, path: Path, name: str) -> dict[str, Any]:
        raw = path.read_bytes()
        found: dict[str, Any] = {"rfilename": name, "size": len(raw), "blobId": git_sha1(raw)}
        if name.endswith(".safetensors"):
            sha256 = hashlib.sha256(raw).hexdigest()
            found["lfs"] = {"size": len(raw), "sha256": sha256, "pointerSize": 130}
        return found | self.listed.get(name, {})


def git_sha1(raw: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(raw) + raw).hexdigest()


@dataclass
class Call:
    """One request, and the ways to answer it. `file` is "" where the hub is asked for facts."""

    handler: BaseHTTPRequestHandler
    path: str
    headers: dict[str, str]
    file: str = ""
    sent: int = 0  # bytes of a body

    @property
    def start(self) -> int:
        found = RANGE.fullmatch(self.headers.get("range", ""))
        return int(found[1]) if found else 0

    def status(self, status: int, **headers: str) -> bool:
        self._head(status, {"Content-Length": "0", **headers})
        return True

    def json(self, value: Any) -> bool:
        return self.body(json.dumps(value).encode(), status=200)

    def body(self, raw: bytes, *, status: int = 200, **headers: str) -> bool:
        self._head(status, {"Content-Length": str(len(raw)), **headers})
        return self.write(raw)

    def write(self, raw: bytes) -> bool:
        for place in range(0, len(raw), PIECE):
            self.handler.wfile.write(raw[place : place + PIECE])
            self.sent += len(raw[place : place + PIECE])
        return True

    def part(self, raw: bytes, *, cut_at: int | None = None) -> bool:
        """Answers as a file server: in ranges, too. `cut_at`: ends before this byte of the file."""
        found = RANGE.fullmatch(self.headers.get("range", ""))
        first, last = (int(found[1]), int(found[2] or len(raw) - 1)) if found else (0, len(raw) - 1)
        last = min(last, len(raw) - 1)
        headers = {"Content-Length": str(last + 1 - first)}
        if found:
            headers["Content-Range"] = f"bytes {first}-{last}/{len(raw)}"
        self._head(206 if found else 200, headers)
        return self.write(raw[first : last + 1 if cut_at is None else max(first, min(cut_at, last + 1))])

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.end_headers()


class FakeHub:
    """`calls` has every request; `on` may answer one instead of the hub, by returning True."""

    def __init__(self, repositories: dict[str, Repository], *, files_at: FakeHub | None = None) -> None:
        self.repositories = repositories
        self.moved: dict[str, str] = {}  # old name of a repository: new one
        self.files_at = files_at  # the server to which downloads of weights are redirected
        self.tokens: set[str] = set()
        self.on: Callable[[Call], bool | None] = lambda call: None
        self.calls: list[Call] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                path = unquote(urlsplit(self.path).path)
                found = FILE.fullmatch(path)
                call = Call(self, path, headers, found[3] if found else "")
                hub.calls.append(call)
                with suppress(BrokenPipeError, ConnectionResetError):  # the client has left
                    _ = hub.on(call) or hub.answer(call)

            def log_message(self, *_: object) -> None:
                return None

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self.host}"

    def __enter__(self) -> FakeHub:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, call: Call) -> bool:
        if found := INFO.fullmatch(call.path):
            return self._facts(call, found[1], found[2])
        if found := FILE.fullmatch(call.path):
            return self._file(call, *found.groups())
        if found := STORED.fullmatch(call.path):
            files = (path for one in self.repositories.values() for path in one.folder.rglob("*.safetensors"))
            raws = (path.read_bytes() for path in files)
            return call.part(next(raw for raw in raws if hashlib.sha256(raw).hexdigest() == found[1]))
        return call.status(404)

    def asked_files(self) -> list[str]:
        return [call.file for call in self.calls if call.file]

    def sent_of(self, file: str) -> int:
        return sum(call.sent for call in self.calls if call.file == file)

    def _facts(self, call: Call, name: str, revision: str | None) -> bool:
        if name in self.moved:
            return call.status(307, Location=call.path.replace(name, self.moved[name]) + "?blobs=True")
        repository = self.repositories.get(name)
        if repository is None or (repository.needs_token and not call.headers.get("authorization")):
            return call.status(401, X_Error_Code="RepoNotFound")
        if self._has_wrong_token(call):
            return call.status(401, X_Error_Message="Invalid credentials in Authorization header")
        if revision and revision not in (*repository.revisions, repository.commit):
            return call.status(404, X_Error_Code="RevisionNotFound")
        return call.json(repository.info(name))

    def _file(self, call: Call, name: str, commit: str, file: str) -> bool:
        repository = self.repositories[name]
        if (
            repository.gated
            and call.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens
        ):
            return call.status(403, X_Error_Code="GatedRepo")
        path = repository.folder / file
        if commit != repository.commit or not path.is_file():
            return call.status(404, X_Error_Code="EntryNotFound")
        raw = path.read_bytes()
        if self.files_at is not None and file.endswith(".safetensors"):
            return call.status(302, Location=f"{self.files_at.url}/stored/{hashlib.sha256(raw).hexdigest()}")
        return call.part(raw)

    def _has_wrong_token(self, call: Call) -> bool:
        token = call.headers.get("authorization", "").removeprefix("Bearer ")
        return bool(token and self.tokens and token not in self.tokens)
