"""Starts real OpenAI-compatible servers: one that the tests' own packages contain, others installed for it.

Those have environments of their own in a folder for temporary files, so that the next run finds them.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version as installed_version
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INSTALL_SECONDS = 1200.0
START_SECONDS = 400.0
TRANSFORMERS = "import sys; from transformers.cli.transformers import main; sys.argv[0] = 'serve'; main()"


@dataclass(frozen=True, slots=True)
class RealServer:
    """`command` follows the interpreter, with {folder} and {port}.

    `is_installed`: the tests' own packages contain it, so that it needs no environment of its own.
    """

    name: str
    command: tuple[str, ...]
    packages: tuple[str, ...]
    model: str = "tiny"
    environment: Mapping[str, str] = field(default_factory=dict)
    is_installed: bool = False

    @property
    def version(self) -> str:
        return ", ".join(self.packages)


SERVERS = {
    "llama.cpp": RealServer(
        "llama.cpp",
        (str(HERE / "llama_cpp_server.py"), "{folder}", "{port}"),
        ("xllamacpp==2026.10.11549", "gguf==0.19.0", "safetensors==0.8.0"),
    ),
    "transformers serve": RealServer(
        "transformers serve",
        ("-c", TRANSFORMERS, "serve", "{folder}", "--port", "{port}", "--device", "cpu"),
        (f"transformers=={installed_version('transformers')}",),
        model="{folder}",
        is_installed=True,
    ),
}


def cache() -> Path:
    folder = Path(tempfile.gettempdir()) / f"grokweb-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else")
    return folder


def interpreter(server: RealServer) -> str:
    """Returns the Python with the server's packages, installed once; skips where they do not install."""
    if server.is_installed:
        return sys.executable
    digest = hashlib.sha256("\n".join(server.packages).encode()).hexdigest()[:12]
    folder = cache() / f"{server.name.lower()}-{digest}"
    python, ready = folder / "bin" / "python", folder / "ready"
    if not ready.exists():
        venv.create(folder, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--only-binary=:all:", *server.packages]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"{server.name} does not install here: {error.stderr.strip().splitlines()[-1:]}")
        except subprocess.TimeoutExpired:
            pytest.skip(f"{server.name} was not installed within {INSTALL_SECONDS:.0f} s")
        ready.touch()
    return str(python)


@contextmanager
def running(server: RealServer, folder: Path) -> Iterator[tuple[str, str]]:
    """Yields base URL and model name of a server with the model in `folder`."""
    python = interpreter(server)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    values = {"folder": str(folder), "port": str(port)}
    command = [python, *(part.format(**values) for part in server.command)]
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    offline = {"HF_HUB_OFFLINE": "1", "HOME": str(home), "HF_HOME": str(home), "OMP_NUM_THREADS": "1"}
    log = folder.parent / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env={**os.environ, **offline, **server.environment}, stdout=out, stderr=out, cwd=home
        )
    try:
        wait_until_healthy(process, port, log)
        yield f"http://127.0.0.1:{port}/v1", server.model.format(**values)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(errors="replace")[-4000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                return
        except (OSError, urllib.error.HTTPError):
            time.sleep(0.2)
    raise AssertionError(log.read_text(errors="replace")[-4000:])
