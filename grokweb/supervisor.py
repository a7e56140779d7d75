"""Starts, watches, restarts and stops all processes of the service: the work of `manage.py up`.

Redis, the web process and the model workers start first, the others when the page answers. A process that
dies is restarted with a growing delay; Redis keeps its port and password, so that the others reconnect. A
stop ends the model workers first (they hand over their replies, rule 11) and Redis last. If the supervisor
itself is killed, die_with_parent.py and reaper.py end its processes.
"""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from contextlib import suppress
from types import FrameType
from typing import IO

from grokweb.child_process import FIRST_DELAY, Child, describe_end
from grokweb.fetch_status import FetchStatus
from grokweb.model_workers import NAME as MODEL_WORKER
from grokweb.model_workers import ModelWorkers
from grokweb.private_file import write_private
from grokweb.processes import Processes
from grokweb.readiness import Readiness
from grokweb.redis_server import EmbeddedRedis, RedisUnavailable
from grokweb.service_plan import Plan, commands, environment
from grokweb.terminal import say
from inference.base import disk_space, exit_status
from inference.base.model_list.entries import secret_names

FAILED_STARTS = 3  # the start is given up when the web process ends this often before it ever answered

# Seconds for each phase of a stop; with a handover of 8 s they add up to less than 15.
AFTER_HANDOVER_SECONDS = 2.0
WEB_SECONDS = 2.5
REDIS_SECONDS = 2.0

DISK_SECONDS = 2.0  # between two checks of the data directory's disk
DISK_WORDS: dict[disk_space.State, str] = {
    "ok": "has space again: everything continues",
    "low": "is nearly full: new messages are refused (GROKWEB_DISK_LOW_MB)",
    "full": "is full: nothing can be stored; free some space, and everything continues by itself",
    "read-only": "cannot be written to: nothing can be stored; everything continues when it can",
}


class Supervisor:
    def __init__(self, plan: Plan, lock: IO[str]) -> None:
        self.plan = plan
        self.redis: EmbeddedRedis | None = None
        self.environment = environment(plan)
        self.stop_asked: float | None = None
        self.kill_asked = False
        self.failure = ""
        self.failed_with = 1  # exit status after a failure
        self.processes = Processes(
            plan,
            lock,
            self.environment,
            secrets=self._secrets,
            refuse=lambda child, words: self.models.refuse(child, words),
            disk_words=self._disk_words,
            say=say,
        )
        self.models = ModelWorkers(
            plan,
            environment=self.environment,
            popen=self.processes.popen,
            add=self.processes.add,
            start=self.processes.start,
            forget=self.processes.forget,
            say=say,
        )
        self.readiness = Readiness(plan, self._redis_url, self._worker_started, self.models.default_slug)
        self.fetch_status = FetchStatus()
        self.disks = disk_space.of_data(plan.data)
        self.disk: disk_space.State = "ok"
        self.disk_due = 0.0

    def _secrets(self) -> set[str]:
        return set(secret_names(self.models.models.entries.values()))

    def _disk_words(self) -> str:
        return f" (the disk {DISK_WORDS[self.disk]})" if self.disk in ("full", "read-only") else ""

    # --- Starting -----------------------------------------------------------------------------------------

    def start_redis(self) -> None:
        if self.plan.redis_url:
            self._publish_redis()
            return
        server = self.redis = EmbeddedRedis(self.plan.data / "redis")
        self.environment["REDIS_URL"] = server.url
        self._publish_redis()
        self.processes.start(self.processes.add("redis", lambda: server.spawn(output=subprocess.PIPE)))

    def _publish_redis(self) -> None:
        """Writes Redis' address for other commands; the processes have it in their environment."""
        published = self.plan.run / "redis.url"
        try:
            if self.redis is None:
                published.unlink(missing_ok=True)
            else:
                write_private(published, f"{self.redis.url}\n")
        except OSError:
            self.processes.files_missing = True

    def start_first(self) -> None:
        """Starts Redis, web process and model workers; the others wait, so that the page answers soon."""
        self.start_redis()
        for name, command in commands(self.plan).items():
            if name not in self.plan.without:
                self.processes.add(name, lambda n=name, c=command: self.processes.spawn(n, c))  # type: ignore[misc]
        self.models.prepare()
        for name in self.first():
            self.processes.start(self.processes.children[name])
        self.readiness.watch()
        if self.redis is not None:
            threading.Thread(
                target=self._watch_persistence, args=(self.redis,), name="redis-file", daemon=True
            ).start()

    def first(self) -> list[str]:
        """Returns the processes that people wait for: the page's, and the models'."""
        return [name for name in self.processes.children if name == "web"] + self.model_workers()

    def model_workers(self) -> list[str]:
        return [child.name for child in self.models.children.values()]

    def start_rest(self) -> None:
        for child in self.processes.children.values():
            if child.process is None and child.due is None and not child.refused:
                self.processes.start(child)

    def _redis_url(self) -> str:
        return self.environment.get("REDIS_URL", "") or self.plan.redis_url

    def _worker_started(self) -> float | None:
        worker = self.models.default
        return worker.started if worker is not None and worker.process is not None else None

    def _watch_persistence(self, server: EmbeddedRedis) -> None:
        """Runs from the start: on a full disk Redis refuses even the ping that /readyz needs."""
        from grokweb import redis_persistence  # loads redis-py, which the processes need not wait for

        redis_persistence.watch(server, say)

    # --- Running ------------------------------------------------------------------------------------------

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) is not signal.SIG_IGN:  # in the background of a shell
                signal.signal(number, self._asked_to_stop)
        try:
            self.start_first()
            announced = 0
            while self.stop_asked is None and not self.failure:
                self._check_children()
                self.models.check(time.monotonic())
                self._check_disk()
                announced = self._announce(announced)
                time.sleep(0.05)
        except RedisUnavailable as error:
            self.failure = str(error)
        finally:
            self.fetch_status.show({})
            if self.stop_asked is not None:
                say("Stopping … (Ctrl-C again ends everything at once)")
            self.stop()
        if self.failure:
            say(self.failure)
            return self.failed_with
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

    def _announce(self, announced: int) -> int:
        """Prints the address, then that the model is ready. Returns the number of lines printed so far."""
        plan, logs = self.plan, self.plan.data / "logs"
        name = plan.default_name or plan.model_name
        if announced == 0 and self.readiness.page_answers.is_set():
            self.start_rest()
            if not self.models.is_active:
                say(f"GrokWeb is ready: {plan.address}  (no model worker here; logs: {logs})")
                return 2
            if not self.readiness.model_answers.wait(0.5):
                say(f"GrokWeb: {plan.address}  (the page is up; {name} is loading)")
            return 1
        if announced == 1:
            self.fetch_status.show(self.readiness.fetch)
        if announced == 1 and self.readiness.model_answers.is_set():
            say(f"GrokWeb is ready: {plan.address}  (model: {name}; logs: {logs})")
            return 2
        if announced == 1 and self.models.default is not None and self.models.default.refused:
            say(f"GrokWeb is ready: {plan.address}  ({name} cannot be served, see above; logs: {logs})")
            return 2
        return announced

    def _check_children(self) -> None:
        now = time.monotonic()
        for child in list(self.processes.children.values()):
            if child.process is not None and child.process.poll() is not None:
                self._died(child, now)
            elif child.due is not None and now >= child.due:
                self.processes.start(child)
        self._end_frozen(now)

    def _end_frozen(self, now: float) -> None:
        """Ends a web process that no longer works; the next check restarts it as after any death."""
        web = self.processes.children.get("web")
        if self.processes.watch is None or web is None or web.process is None or not web.alive:
            return
        if web.kill_at is not None:
            if now >= web.kill_at:
                web.process.kill()
        elif trouble := self.processes.watch.trouble():
            web.log.note(f"{trouble}: this process is ended and started again")
            web.process.terminate()
            web.kill_at = now + WEB_SECONDS

    def _check_disk(self) -> None:
        """Reports when the disk fills up. When it accepts writes again, postponed work is done."""
        now = time.monotonic()
        if now < self.disk_due:
            return
        self.disk_due = now + DISK_SECONDS
        before, self.disk = self.disk, self.disks.status("data").state
        if self.disk != before:
            say(f"the disk of {self.plan.data} {DISK_WORDS[self.disk]}")
        if self.disk in ("ok", "low") and (self.processes.files_missing or before in ("full", "read-only")):
            self._resume_writes(now)

    def _resume_writes(self, now: float) -> None:
        """Writes the missing files and restarts waiting processes, after the disk accepts writes again."""
        self.processes.files_missing = False
        self._publish_redis()
        for child in self.processes.children.values():
            self.processes.note_pid(child)
            if child.due is not None:
                child.due, child.delay = now, FIRST_DELAY

    def _died(self, child: Child, now: float) -> None:
        status = self.processes.reap(child)
        child.deaths += 1
        if child.asked:
            return  # models.toml was changed: grokweb/model_workers.py forgets or replaces it
        if child.name.startswith(MODEL_WORKER) and status == exit_status.MODEL_UNUSABLE:
            if self.models.is_required(child):
                self.failure = child.log.last_line or "the model cannot be served"
                self.failed_with = status
            else:
                self.models.refuse(child, child.log.last_line)
            return
        if (
            child.name == "web"
            and not self.readiness.page_answers.is_set()
            and status > 0
            and child.deaths >= FAILED_STARTS
        ):
            self.failure = f"the web process does not start: {child.log.last_line}"
            return
        if now - child.started >= self.plan.healthy:
            child.delay = FIRST_DELAY
        words = f"; it said: {child.log.last_line}" if status > 0 and child.log.last_line else ""
        self.processes.restart_later(child, f"{child.name} {describe_end(status)}", words)

    # --- Stopping -----------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ends the model workers first, the web process next, Redis last; kills what does not end in time."""
        handover = self.plan.handover + AFTER_HANDOVER_SECONDS
        workers = self.model_workers()
        first = [*workers, "beat", "jobs-worker", "tools-worker"]
        self._end(first, wait_for=[*workers, "beat"], seconds=handover)
        self.models.withdraw()
        rest = [name for name in self.processes.children if name != "redis"]
        self._end(rest, wait_for=rest, seconds=WEB_SECONDS)
        self._end(["redis"], wait_for=["redis"], seconds=REDIS_SECONDS)
        with suppress(OSError):
            (self.plan.run / "redis.url").unlink(missing_ok=True)
        self.processes.end_reaper()

    def _end(self, names: list[str], *, wait_for: list[str], seconds: float) -> None:
        self.processes.end(names, wait_for=wait_for, seconds=seconds, is_hurried=lambda: self.kill_asked)
