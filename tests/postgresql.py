"""Runs a temporary PostgreSQL server for one test run: the system's, or the `pgserver` wheel's."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from grokweb.redis_server import free_port

QUICK = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
    "listen_addresses=127.0.0.1",
)
START_SECONDS = 30


class NoPostgres(Exception):
    """Says in one line why PostgreSQL cannot run."""


def find_programs() -> Path:
    """Returns the directory of initdb and postgres."""
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    return _from_wheel()


def _from_wheel() -> Path:
    if importlib.util.find_spec("pgserver") is None:
        quiet = ["--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]
        command = [sys.executable, "-m", "pip", "install", *quiet, "pgserver"]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            raise NoPostgres("no initdb here, and pip could not install pgserver")
        importlib.invalidate_caches()
    spec = importlib.util.find_spec("pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


class Server:
    """`with Server() as url:`; the server runs as an unprivileged user when this process is root."""

    def __init__(self) -> None:
        self.programs = find_programs()
        self.folder = Path(tempfile.mkdtemp(prefix="gwpg-", dir="/tmp"))  # a socket's path is short
        self.process: subprocess.Popen[bytes] | None = None
        self.identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            owner = _unprivileged()
            self.identity = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            self._make_reachable()

    def _make_reachable(self) -> None:
        """Copies programs from root's home, which other users cannot run."""
        probe = [str(self.programs / "postgres"), "--version"]
        try:
            reachable = (
                subprocess.run(probe, capture_output=True, check=False, cwd="/", **self.identity).returncode
                == 0
            )
        except PermissionError:
            reachable = False
        if not reachable:
            # The wheel's programs look for their libraries three folders up.
            libraries = self.programs.parents[2] / "pgserver.libs"
            shutil.copytree(self.programs.parent, self.folder / "pgserver" / "pginstall", symlinks=True)
            if libraries.is_dir():
                shutil.copytree(libraries, self.folder / "pgserver.libs")
            self.programs = self.folder / "pgserver" / "pginstall" / "bin"

    def __enter__(self) -> str:
        try:
            return self._start()
        except BaseException:
            self.__exit__()
            raise

    def _start(self) -> str:
        data = str(self.folder / "data")
        password = secrets.token_urlsafe(12)
        secret = self.folder / "password"
        secret.write_text(password)
        if self.identity:
            os.chown(secret, self.identity["user"], self.identity["group"])
        port = free_port()
        make = [
            str(self.programs / "initdb"),
            "-D",
            data,
            "-U",
            "postgres",
            "--auth=password",
            f"--pwfile={secret}",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        for locale in (["--locale=C.UTF-8"], ["--no-locale"]):
            made = subprocess.run(
                [*make, *locale], capture_output=True, check=False, cwd="/", **self.identity
            )
            if made.returncode == 0:
                break
            shutil.rmtree(data, ignore_errors=True)
        else:
            raise NoPostgres(
                f"initdb failed: {made.stderr.decode(errors='replace').strip().splitlines()[-1:]}"
            )
        options = [part for setting in QUICK for part in ("-c", setting)]
        self.process = subprocess.Popen(
            [str(self.programs / "postgres"), "-D", data, "-k", str(self.folder), "-p", str(port), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
            **self.identity,
        )
        url = f"postgres://postgres:{password}@127.0.0.1:{port}/postgres"
        self._wait(url)
        return url

    def _wait(self, url: str) -> None:
        import psycopg

        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(url, connect_timeout=2).close()
            except psycopg.OperationalError as error:
                assert self.process is not None
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise NoPostgres(f"PostgreSQL did not start: {' '.join(str(error).split())}") from None
                time.sleep(0.05)
            else:
                return

    def __exit__(self, *_: object) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)  # at once, but its shared memory is given back
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgres("running as root, and there is neither a user postgres nor nobody to run PostgreSQL as")
