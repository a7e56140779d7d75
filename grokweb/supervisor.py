"""What `manage.py up` runs, and how it stops.

Redis, the page and the model come first, the rest after the page answers. A child that dies comes back with
backoff; Redis keeps its port and password, so the others reconnect. Stopping ends the model worker first (it
hands over what it runs, rule 11), Redis last. A killed supervisor leaves nothing: child.py, guardian.py.
"""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from grokweb import disks, pulse
from grokweb.childlog import ChildLog
from grokweb.redis_server import CHILD, EmbeddedRedis, RedisUnavailable

GUARDIAN = str(Path(__file__).with_name("guardian.py"))
EX_CONFIG = 78  # exit status of a model worker whose model can not be served; nothing is gained by a restart
FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
STILLBORN = 3  # a web process that ends this often before it ever answered stops the start

# Seconds of a stop; with a hand-over of 8 s they add up to less than 15.
AFTER_HANDOVER_SECONDS = 2.0
WEB_SECONDS = 2.5
REDIS_SECONDS = 2.0
LOCK_SECONDS = 5.0  # how long a new `up` waits for the guardian of a killed one

DISK_SECONDS = 2.0  # between two looks at the disk of the data
DISK_WORDS: dict[disks.State, str] = {
    "ok": "has room again: everything goes on",
    "low": "is nearly full: new messages are refused (GROKWEB_DISK_LOW_MB)",
    "full": "is full: nothing can be stored; make room, the rest happens by itself",
    "read-only": "can not be written to: nothing can be stored; everything goes on once it can",
}

Say = Callable[[str], None]


class StartError(Exception):
    """Nothing was left running; the message is one line for the operator."""


def say(line: str) -> None:
    with suppress(OSError, ValueError):  # a closed terminal must not end the service
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


@dataclass(slots=True)
class Child:
    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    log: ChildLog
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    delay: float = FIRST_DELAY
    due: float | None = None  # when to start it (again)
    deaths: int = 0
    asked: bool = False  # to end
    kill_at: float | None = None  # it does not work any more, and was asked to end

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None


@dataclass(slots=True)
class Plan:
    """What to run; made by grokweb/startup.py after its checks."""

    data: Path
    run: Path
    bind: str
    port: int
    host: str  # a name the web process answers to
    address: str  # what people type
    model_slug: str
    model_name: str
    slots: int
    handover: float
    redis_url: str  # empty: embedded
    without: frozenset[str] = frozenset()
    healthy: float = 30.0  # seconds of life that end a child's backoff
    loop_seconds: float = 20.0  # a web process is started again when its event loop has not run for so long,
    pool_seconds: float = 120.0  # or no thread of it has finished anything for so long while requests wait
    root: Path = field(default_factory=lambda: Path(__file__).resolve().parent.parent)


class Supervisor:
    def __init__(self, plan: Plan, lock: IO[str]) -> None:
        self.plan = plan
        self.children: dict[str, Child] = {}
        self.redis: EmbeddedRedis | None = None
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.environment["PYTHONPATH"] = os.pathsep.join(
            [str(plan.root), *filter(None, [os.environ.get("PYTHONPATH")])]
        )
        self.environment["GROKWEB_DATA"] = str(plan.data)
        # Which model new chats get: chat/conversations/model_cards.py.
        self.environment["GROKWEB_MODEL_SLUG"] = plan.model_slug
        starts = "model-worker" not in plan.without
        self.environment["GROKWEB_MODEL_WORKER_SINCE"] = str(int(time.time())) if starts else "0"
        self.stop_asked: float | None = None
        self.kill_asked = False
        self.failure = ""
        self.page_answers = threading.Event()
        self.model_answers = threading.Event()
        self.workers_before: set[str] = set()
        self.watch: pulse.Watch | None = None
        self.disks = disks.of_data(plan.data)
        self.disk: disks.State = "ok"
        self.disk_due = 0.0
        self.owes_files = False  # something in run/ could not be written
        self.guardian, self.guard = self._start_guardian(lock)

    # --- Children -----------------------------------------------------------------------------------------

    def _start_guardian(self, lock: IO[str]) -> tuple[subprocess.Popen[bytes], IO[str]]:
        read, write = os.pipe()
        guardian = subprocess.Popen(
            [sys.executable, "-I", "-S", GUARDIAN, str(read)],
            pass_fds=(read, lock.fileno()),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(read)
        return guardian, os.fdopen(write, "w", buffering=1)

    def commands(self) -> dict[str, list[str]]:
        """Every pool is `threads`, so that no child has children of its own. Beat keeps its times in memory:
        a file of them would be one more that a full disk breaks."""
        celery = [sys.executable, "-m", "celery", "--quiet", "-A"]
        lean = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--pool", "threads"]
        slots = str(self.plan.slots)
        queue = f"model.{self.plan.model_slug}"
        return {
            "web": [sys.executable, "-m", "grokweb.web"],
            "model-worker": [*celery, "inference.worker", "worker", "-Q", queue, "-n", "model@%h", *lean, "--concurrency", slots],  # noqa: E501
            "chat-worker": [*celery, "grokweb", "worker", "-Q", "chat", "-n", "chat@%h", *lean, "--concurrency", "2"],  # noqa: E501
            "beat": [*celery, "grokweb", "beat", "-S", "celery.beat:Scheduler"],
            "jobs-worker": [*celery, "grokweb", "worker", "-Q", "jobs", "-n", "jobs@%h", *lean, "--concurrency", "1"],  # noqa: E501
        }  # fmt: skip

    def _spawn(self, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Only from the main thread: on Linux a child is bound to the thread that started it."""
        if name != "web":
            return self._popen(command)
        read, write = pulse.pipe()
        self.watch = pulse.Watch(self.plan.loop_seconds, self.plan.pool_seconds, read)
        try:
            return self._popen([*command, "--pulse", str(write)], pass_fds=(write,))
        finally:
            os.close(write)

    def _popen(self, command: Sequence[str], pass_fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", CHILD, str(os.getpid()), *command],
            pass_fds=pass_fds,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone
            env=self.environment,
        )

    def _add(self, name: str, start: Callable[[], subprocess.Popen[bytes]]) -> Child:
        log = ChildLog(name, self.plan.data / "logs" / f"{name}.log", say)
        child = self.children[name] = Child(name, start, log)
        return child

    def _start(self, child: Child) -> None:
        child.due = child.kill_at = None
        child.started = time.monotonic()
        try:
            child.process = child.start()
        except OSError as error:  # a folder that cannot be made, no memory for a process
            self._again(child, f"{child.name} can not be started: {error.strerror or error}")
            return
        self.guard.write(f"+{child.process.pid}\n")
        child.log.follow(child.process)
        self._note_pid(child)

    def _note_pid(self, child: Child) -> None:
        """For operators and other commands: a full disk must not end the service for a file of theirs."""
        path = self.plan.run / f"{child.name}.pid"
        try:
            if child.process is None:
                path.unlink(missing_ok=True)
            else:
                path.write_text(f"{child.process.pid}\n")
        except OSError:
            self.owes_files = True

    def _again(self, child: Child, what: str, words: str = "") -> None:
        """Starts it later, each time later than the last."""
        child.due = time.monotonic() + child.delay
        disk = f" (the disk {DISK_WORDS[self.disk]})" if self.disk in ("full", "read-only") else ""
        say(f"{what}; starting it again in {child.delay:g} s{words}{disk}")
        child.delay = min(child.delay * 2, LONGEST_DELAY)

    def _buried(self, child: Child) -> int:
        """Take note of an end; its exit status."""
        assert child.process is not None
        status = child.process.returncode
        if child.name != "redis":  # anything it started itself ends with it
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(child.process.pid, signal.SIGKILL)
        self.guard.write(f"-{child.process.pid}\n")
        child.log.finish()
        child.process = None
        if child.name == "web" and self.watch is not None:
            self.watch.close()
            self.watch = None
        self._note_pid(child)
        return status

    # --- Starting -----------------------------------------------------------------------------------------

    def start_redis(self) -> None:
        if self.plan.redis_url:
            self._publish_redis()
            return
        server = self.redis = EmbeddedRedis(self.plan.data / "redis")
        self.environment["REDIS_URL"] = server.url
        self._publish_redis()
        self._start(self._add("redis", lambda: server.spawn(output=subprocess.PIPE)))

    def _publish_redis(self) -> None:
        """For other commands; the children have it in their environment."""
        published = self.plan.run / "redis.url"
        try:
            if self.redis is None:
                published.unlink(missing_ok=True)
            else:
                write_private(published, f"{self.redis.url}\n")
        except OSError:
            self.owes_files = True

    def start_first(self) -> None:
        """Redis and the page; everything else waits, so that both cores work for the page."""
        self.start_redis()
        commands = self.commands()
        for name, command in commands.items():
            if name not in self.plan.without:
                self._add(name, lambda n=name, c=command: self._spawn(n, c))  # type: ignore[misc]
        for name in self.first():
            self._start(self.children[name])
        threading.Thread(target=self._watch_start, name="watch-start", daemon=True).start()

    def first(self) -> list[str]:
        return [name for name in ("web", "model-worker") if name in self.children]

    def start_rest(self) -> None:
        for child in self.children.values():
            if child.process is None and child.due is None:
                self._start(child)
        if self.redis is not None:
            from grokweb import redis_file  # loads redis-py, which the page need not wait for

            threading.Thread(
                target=redis_file.watch, args=(self.redis, say), name="redis-file", daemon=True
            ).start()

    def _watch_start(self) -> None:
        """Asks until the page answers, then until the model worker has announced itself."""
        while "web" in self.children and not self._ready():
            time.sleep(0.05)
        self.page_answers.set()
        if "model-worker" not in self.children:
            return
        while not self._announced():
            time.sleep(0.1)
        self.model_answers.set()

    def _ready(self) -> bool:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.plan.bind, self.plan.bind)  # noqa: S104
        connection = http.client.HTTPConnection(host, self.plan.port, timeout=5)
        try:
            connection.request("GET", "/readyz", headers={"Host": self.plan.host})
            answer = connection.getresponse()
            return answer.status == 200 or lacks_only_room(answer.read())
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _announced(self) -> bool:
        import redis

        from inference import queue, scripts

        try:
            with scripts.connect(self.environment.get("REDIS_URL", "") or self.plan.redis_url) as client:
                names = {worker.name for worker in queue.workers(client, self.plan.model_slug)}
        except redis.RedisError:
            return False
        worker = self.children["model-worker"]
        if worker.process is None or time.monotonic() - worker.started < 0.5:
            self.workers_before |= names  # left by an earlier run; they expire
            return False
        return bool(names - self.workers_before)

    # --- Running ------------------------------------------------------------------------------------------

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:  # in the background of a shell
                signal.signal(number, self._asked_to_stop)
        try:
            self.start_first()
            told = 0
            while self.stop_asked is None and not self.failure:
                self._tend()
                self._watch_disk()
                told = self._tell(told)
                time.sleep(0.05)
        except RedisUnavailable as error:
            self.failure = str(error)
        finally:
            if self.stop_asked is not None:
                say("Stopping … (Ctrl-C again ends everything at once)")
            self.stop()
        if self.failure:
            say(self.failure)
            return 1
        say("GrokWeb has stopped.")
        return 0

    def _asked_to_stop(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.stop_asked is None:
            self.stop_asked = now
        elif (
            number == signal.SIGINT and now - self.stop_asked > 0.5
        ):  # `make` and the terminal may both send one
            self.kill_asked = True

    def _tell(self, told: int) -> int:
        plan, logs = self.plan, self.plan.data / "logs"
        if told == 0 and self.page_answers.is_set():
            self.start_rest()
            if "model-worker" not in self.children:
                say(f"GrokWeb is ready: {plan.address}  (no model worker here; logs: {logs})")
                return 2
            if not self.model_answers.wait(0.5):
                say(f"GrokWeb: {plan.address}  (the page is up; {plan.model_name} is loading)")
            return 1
        if told == 1 and self.model_answers.is_set():
            say(f"GrokWeb is ready: {plan.address}  (model: {plan.model_name}; logs: {logs})")
            return 2
        return told

    def _tend(self) -> None:
        now = time.monotonic()
        for child in self.children.values():
            if child.process is not None and child.process.poll() is not None:
                self._died(child, now)
            elif child.due is not None and now >= child.due:
                self._start(child)
        self._end_frozen(now)

    def _end_frozen(self, now: float) -> None:
        """A web process that does not work any more is ended; then it has died, and comes back."""
        web = self.children.get("web")
        if self.watch is None or web is None or web.process is None or not web.alive:
            return
        if web.kill_at is not None:
            if now >= web.kill_at:
                web.process.kill()
        elif trouble := self.watch.trouble():
            web.log.note(f"{trouble}: this process is ended and started again")
            web.process.terminate()
            web.kill_at = now + WEB_SECONDS

    def _watch_disk(self) -> None:
        """Tells of a disk that fills up. Once it takes writes again, whatever waited for that goes on."""
        now = time.monotonic()
        if now < self.disk_due:
            return
        self.disk_due = now + DISK_SECONDS
        before, self.disk = self.disk, self.disks.look("data").state
        if self.disk != before:
            say(f"the disk of {self.plan.data} {DISK_WORDS[self.disk]}")
        if self.disk in ("ok", "low") and (self.owes_files or before in ("full", "read-only")):
            self._go_on(now)

    def _go_on(self, now: float) -> None:
        """The disk takes writes again."""
        self.owes_files = False
        self._publish_redis()
        for child in self.children.values():
            self._note_pid(child)
            if child.due is not None:
                child.due, child.delay = now, FIRST_DELAY

    def _died(self, child: Child, now: float) -> None:
        status = self._buried(child)
        child.deaths += 1
        if child.name == "model-worker" and status == EX_CONFIG:
            self.failure = child.log.last_line or "the model can not be served"
            return
        if (
            child.name == "web"
            and not self.page_answers.is_set()
            and status > 0
            and child.deaths >= STILLBORN
        ):
            self.failure = f"the web process does not start: {child.log.last_line}"
            return
        if now - child.started >= self.plan.healthy:
            child.delay = FIRST_DELAY
        words = f"; it said: {child.log.last_line}" if status > 0 and child.log.last_line else ""
        self._again(child, f"{child.name} {describe_end(status)}", words)

    # --- Stopping -----------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Model worker first, web next, Redis last; what does not end in its time is killed."""
        handover = self.plan.handover + AFTER_HANDOVER_SECONDS
        self._end(
            ["model-worker", "beat", "jobs-worker"], wait_for=["model-worker", "beat"], seconds=handover
        )
        rest = [name for name in self.children if name != "redis"]
        self._end(rest, wait_for=rest, seconds=WEB_SECONDS)
        self._end(["redis"], wait_for=["redis"], seconds=REDIS_SECONDS)
        with suppress(OSError):
            (self.plan.run / "redis.url").unlink(missing_ok=True)
        self.guard.close()
        with suppress(subprocess.TimeoutExpired):
            self.guardian.wait(2)

    def _end(self, names: list[str], *, wait_for: list[str], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        named = [self.children[name] for name in names if name in self.children]
        for child in named:
            if child.alive and child.process is not None and not child.asked:
                child.asked = True
                child.process.terminate()
        awaited = [child for child in named if child.name in wait_for]
        while any(child.alive for child in awaited) and time.monotonic() < deadline and not self.kill_asked:
            time.sleep(0.02)
        for child in awaited:
            if child.process is not None:
                if child.alive:
                    child.process.kill()
                child.process.wait()
                self._buried(child)


def describe_end(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def lacks_only_room(answer: bytes) -> bool:
    """Whether /readyz, in its own words, misses nothing but space on a disk: then the page answers."""
    try:
        failing = json.loads(answer)["failing"]
    except (ValueError, KeyError, TypeError):
        return False
    return all(name.startswith("disk:") for name in failing)


def write_private(path: Path, text: str) -> None:
    """For its owner alone from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def take_lock(data: Path, run: Path) -> IO[str]:
    """One `up` for each data directory."""
    run.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = (run / "up.pid").open("a+")
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip()
            if is_alive(holder) or time.monotonic() > deadline:
                lock.close()
                raise StartError(
                    f"GrokWeb already runs in {data} (process {holder or '?'}): stop it, or set GROKWEB_DATA"
                ) from None
            time.sleep(0.05)
        else:
            with suppress(OSError):  # the lock holds without the number in it
                os.ftruncate(lock.fileno(), 0)
                os.write(lock.fileno(), f"{os.getpid()}\n".encode())
            return lock


def is_alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True
