"""Starts the processes of the service, plans their restarts and cleans up after them.

supervisor.py decides which processes there are and what a death means.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from grokweb import watchdog
from grokweb.child_process import LONGEST_DELAY, Child
from grokweb.model_workers import ModelRefused
from grokweb.process_log import ProcessLog
from grokweb.redis_server import CHILD
from grokweb.service_plan import Plan
from grokweb.terminal import Say
from inference.base.lines import line_of

REAPER = str(Path(__file__).with_name("reaper.py"))


class Processes:
    """Holds the children by name; `secrets`, `refuse` and `disk_words` are the supervisor's."""

    def __init__(
        self,
        plan: Plan,
        lock: IO[str],
        environment: Mapping[str, str],
        *,
        secrets: Callable[[], Collection[str]],
        refuse: Callable[[Child, str], None],
        disk_words: Callable[[], str],
        say: Say,
    ) -> None:
        self.plan = plan
        self.environment, self.secrets = environment, secrets
        self.refuse, self.disk_words, self.say = refuse, disk_words, say
        self.children: dict[str, Child] = {}
        self.watch: watchdog.Watch | None = None
        self.files_missing = False  # a file in run/ could not be written
        self.reaper, self.reaper_pipe = _start_reaper(lock)

    def add(self, name: str, start: Callable[[], subprocess.Popen[bytes]]) -> Child:
        log = ProcessLog(name, self.plan.data / "logs" / f"{name}.log", self.say)
        child = self.children[name] = Child(name, start, log)
        return child

    def forget(self, child: Child) -> None:
        """Takes a child away that has ended for good."""
        if self.children.get(child.name) is child:
            del self.children[child.name]

    def spawn(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Must run in the main thread: on Linux a process ends with the thread that started it."""
        if name != "web":
            return self.popen(command, self._without_secrets())
        read, write = watchdog.pipe()
        self.watch = watchdog.Watch(self.plan.loop_seconds, self.plan.pool_seconds, read)
        try:
            command = [*command, "--pulse", str(write)]
            return self.popen(command, self._without_secrets(), pass_fds=(write,))
        finally:
            os.close(write)

    def _without_secrets(self) -> dict[str, str]:
        """Returns the environment of processes that ask no model's server."""
        secret = self.secrets()
        return {name: value for name, value in self.environment.items() if name not in secret}

    def popen(
        self, command: Sequence[str], env: Mapping[str, str], pass_fds: Sequence[int] = ()
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", CHILD, str(os.getpid()), *command],
            pass_fds=pass_fds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only the supervisor
            env=env,
        )

    def start(self, child: Child) -> None:
        child.due = child.kill_at = None
        child.started = time.monotonic()
        try:
            child.process = child.start()
        except ModelRefused as error:
            self.refuse(child, line_of(error))
            return
        except OSError as error:  # a directory that cannot be created, no memory for a process
            self.restart_later(child, f"{child.name} cannot be started: {error.strerror or error}")
            return
        self.reaper_pipe.write(f"+{child.process.pid}\n")
        child.log.follow(child.process)
        self.note_pid(child)

    def note_pid(self, child: Child) -> None:
        """Writes the pid file, for operators and other commands; a full disk is no reason to end."""
        path = self.plan.run / f"{child.name}.pid"
        try:
            if child.process is None:
                path.unlink(missing_ok=True)
            else:
                path.write_text(f"{child.process.pid}\n")
        except OSError:
            self.files_missing = True

    def restart_later(self, child: Child, what: str, words: str = "") -> None:
        """Plans a restart; each delay is twice the one before."""
        child.due = time.monotonic() + child.delay
        self.say(f"{what}; starting it again in {child.delay:g} s{words}{self.disk_words()}")
        child.delay = min(child.delay * 2, LONGEST_DELAY)

    def reap(self, child: Child) -> int:
        """Cleans up after a process that has ended. Returns its exit status."""
        assert child.process is not None
        status = child.process.returncode
        if child.name != "redis":  # what it started ends with it
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.process.pid, signal.SIGKILL)
        self.reaper_pipe.write(f"-{child.process.pid}\n")
        child.log.finish()
        child.process = None
        if child.name == "web" and self.watch is not None:
            self.watch.close()
            self.watch = None
        self.note_pid(child)
        return status

    def end(
        self, names: list[str], *, wait_for: list[str], seconds: float, is_hurried: Callable[[], bool]
    ) -> None:
        """Asks children to end; kills those of `wait_for` that do not end in time, or once it is hurried."""
        deadline = time.monotonic() + seconds
        named = [self.children[name] for name in names if name in self.children]
        for child in named:
            if child.alive and child.process is not None and not child.asked:
                child.asked = True
                child.process.terminate()
        awaited = [child for child in named if child.name in wait_for]
        while any(child.alive for child in awaited) and time.monotonic() < deadline and not is_hurried():
            time.sleep(0.02)
        for child in awaited:
            if child.process is not None:
                if child.alive:
                    child.process.kill()
                child.process.wait()
                self.reap(child)

    def end_reaper(self) -> None:
        self.reaper_pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self.reaper.wait(2)


def _start_reaper(lock: IO[str]) -> tuple[subprocess.Popen[bytes], IO[str]]:
    read, write = os.pipe()
    reaper = subprocess.Popen(
        [sys.executable, "-I", "-S", REAPER, str(read)],
        pass_fds=(read, lock.fileno()),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(read)
    return reaper, os.fdopen(write, "w", buffering=1)
