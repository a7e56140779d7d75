"""Runs a worker for each model: that of GROKWEB_MODEL, and those of `models.toml`.

The file is looked at every second. Only workers of added, changed and removed tables start or stop; the
others do not notice. A model that cannot be served (status 78) is shown as a problem and tried again when the
file is written; one that GROKWEB_MODEL names ends the service instead (grokweb/supervisor.py).
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from grokweb.child_process import Child
from grokweb.service_plan import Plan, model_command
from grokweb.terminal import Say
from inference.base.lines import english, line_of
from inference.base.model_list import state
from inference.base.model_list.entries import (
    DEMO,
    FILE_NAME,
    OWN_SECRETS,
    Entry,
    ModelList,
    Unreadable,
    path_in,
    read,
    secret_names,
    threads_of,
    worker_environment,
)
from inference.base.model_list.state import ServiceState, Step, WorkerState

NAME = "model-worker"  # of the worker of GROKWEB_MODEL; the others are called model-worker.<slug>
LOOK_SECONDS = 1.0  # between two looks at the file
KILL_SECONDS = 2.0  # after the time for a hand-over

NOT_SERVED = english("its model cannot be served")
NOT_READ = (-1,)  # equals the mark of no file

Popen = Callable[[Sequence[str], Mapping[str, str]], "subprocess.Popen[bytes]"]


class ModelRefused(ValueError):
    """A worker cannot even be started. The message is one line."""


class ModelWorkers:
    """Compares the file with the service's processes, which `popen`, `add`, `start` and `forget` change."""

    def __init__(
        self,
        plan: Plan,
        *,
        environment: Mapping[str, str],
        popen: Popen,
        add: Callable[[str, Callable[[], subprocess.Popen[bytes]]], Child],
        start: Callable[[Child], None],
        forget: Callable[[Child], None],
        say: Say,
    ) -> None:
        self.plan = plan
        self.environment, self.popen = environment, popen
        self.add, self.start, self.forget, self.say = add, start, forget, say
        self.is_active = NAME not in plan.without
        self.models = plan.models
        self.problems: tuple[str, ...] = ()
        self.children: dict[str, Child] = {}  # by slug
        self.added_at: dict[str, float] = {}  # Unix time
        self._mark: tuple[int, ...] = NOT_READ  # the plan was read earlier, and preparing may have taken long
        self._seen = self._stat()
        self._due = 0.0
        self._published: ServiceState | None = None
        self.of_settings = Entry(plan.model_slug, DEMO)
        self.wanted: dict[str, Entry] = {}
        if self.is_active:
            self._take(plan.models)

    def prepare(self) -> None:
        """Adds a child for each model; the supervisor starts them."""
        self.withdraw()  # a killed `up` may have left its state
        for entry in self.wanted.values():
            self._add(entry)

    def check(self, now: float) -> None:
        """Starts, stops and replaces what the file asks for. Must run in the main thread."""
        if not self.is_active:
            return
        if now >= self._due:
            self._due = now + LOOK_SECONDS
            self._look()
        for slug, child in list(self.children.items()):
            if child.asked or self.wanted.get(slug) != child.entry:
                self._end(slug, child, now)
        for slug, entry in self.wanted.items():
            if slug not in self.children:
                self.start(self._add(entry))
        self.publish()

    def default_slug(self) -> str:
        """Returns the model of new chats."""
        return self.plan.default_slug(self.models)

    @property
    def default(self) -> Child | None:
        """Returns the worker of the model of new chats."""
        return self.children.get(self.default_slug())

    def is_required(self, child: Child) -> bool:
        """Returns whether the service ends if this worker's model cannot be served."""
        return child.name == NAME and self.plan.model_slug not in self.models.entries

    def refuse(self, child: Child, line: str) -> None:
        slug = child.entry.slug if child.entry is not None else ""
        child.refused = state.take_refusal(self.plan.run, slug, line) if line else NOT_SERVED
        self.say(f"{child.name}: {child.refused}; correct it and write models.toml again; the others go on")

    # --- The file -----------------------------------------------------------------------------------------

    def _stat(self) -> tuple[int, ...]:
        try:
            about = path_in(self.plan.data).stat()
        except OSError:
            return ()
        return about.st_mtime_ns, about.st_ino, about.st_size

    def _look(self) -> None:
        """Reads the file once two looks have found it the same: an editor may be in the middle of writing."""
        mark, before = self._stat(), self._seen
        self._seen = mark
        if mark == self._mark or mark != before:
            return
        self._mark = mark
        try:
            models = read(self.plan.data)
        except Unreadable as error:
            self._tell((english("%(why)s; the models run on as they are", why=line_of(error)),))
            return
        self._take(models)
        for slug, child in list(self.children.items()):
            if child.refused:  # try again
                self._remove(slug, child)

    def _take(self, models: ModelList) -> None:
        """Decides which models run. A table that has become wrong leaves its worker as it is."""
        plan, problems = self.plan, list(models.problems)
        wanted = dict(models.entries)
        for slug in models.wrong & self.children.keys():
            running = self.children[slug].entry
            if running is not None:
                wanted[slug] = running
        if plan.is_configured:
            if plan.model_slug in models.entries:
                problems.append(
                    english(
                        "%(file)s: [%(slug)s] GROKWEB_MODEL serves this model already: remove the table, or "
                        "GROKWEB_MODEL",
                        file=FILE_NAME,
                        slug=plan.model_slug,
                    )
                )
            wanted[plan.model_slug] = self.of_settings
        elif not wanted:
            wanted[plan.model_slug] = self.of_settings
        self.models, self.wanted = models, wanted
        self._tell(tuple(problems))

    def _tell(self, problems: tuple[str, ...]) -> None:
        for line in problems:
            if line not in self.problems:
                self.say(line)
        self.problems = problems

    # --- Workers ------------------------------------------------------------------------------------------

    def _add(self, entry: Entry) -> Child:
        name = NAME if entry is self.of_settings else f"{NAME}.{entry.slug}"
        child = self.add(name, lambda: self._spawn(name, entry))
        child.entry = entry
        self.children[entry.slug] = child
        self.added_at[entry.slug] = time.time()
        return child

    def _spawn(self, name: str, entry: Entry) -> subprocess.Popen[bytes]:
        """Computes the environment at each start: threads are shared by the models that are there now."""
        command = model_command(entry.slug, entry.slots or self.plan.slots)
        sharing = self._sharing()
        if name == NAME:
            others = secret_names(self.models.entries.values()) - OWN_SECRETS
            own = {key: value for key, value in self.environment.items() if key not in others}
            threads = threads_of(sharing[entry.slug], sharing, self.plan.threads)
            return self.popen(
                command, {**own, "GROKWEB_MODEL_SLUG": entry.slug, "GROKWEB_THREADS": str(threads)}
            )
        try:
            environment = worker_environment(
                entry,
                self.environment,
                demo=self.plan.demo,
                data=self.plan.data,
                threads=threads_of(entry, sharing, self.plan.threads),
                secret=secret_names(self.models.entries.values()),
            )
        except ValueError as error:
            raise ModelRefused(line_of(error)) from None
        return self.popen(command, environment)

    def _sharing(self) -> dict[str, Entry]:
        """Returns the models that share the processors: those of models.toml and that of the settings."""
        slug = self.plan.model_slug
        if self.plan.is_configured:
            return {**self.models.entries, slug: Entry(slug, self.environment.get("GROKWEB_MODEL", DEMO))}
        return {slug: self.of_settings, **self.models.entries}

    def _end(self, slug: str, child: Child, now: float) -> None:
        """Asks a worker to hand over (rule 11), and kills it if it does not end in time."""
        if child.process is None:
            self._remove(slug, child)
        elif not child.asked:
            child.asked = True
            child.kill_at = now + self.plan.handover + KILL_SECONDS
            child.process.terminate()
            self.say(f"{child.name}: models.toml was changed; it hands over its replies and ends")
        elif child.kill_at is not None and now >= child.kill_at:
            child.process.kill()

    def _remove(self, slug: str, child: Child) -> None:
        del self.children[slug]
        self.forget(child)

    # --- What pages and commands know ---------------------------------------------------------------------

    def publish(self) -> None:
        """Writes run/models.json when something has changed; a full disk is no reason to end."""
        models = {slug: self._state_of(slug, child) for slug, child in self.children.items()}
        now = ServiceState(self.plan.default_slug(self.models), models, self.problems)
        if now == self._published:
            return
        with suppress(OSError):
            state.publish(self.plan.run, now)
            self._published = now

    def _state_of(self, slug: str, child: Child) -> WorkerState:
        since = self.added_at[slug]
        if child.refused:
            return WorkerState(Step.REFUSED, since, child.refused)
        if child.asked:
            return WorkerState(Step.STOPPING, since)
        if child.process is None:
            return WorkerState(Step.RESTARTING, since, child.log.last_line if child.deaths else "")
        return WorkerState(Step.STARTED, since)

    def withdraw(self) -> None:
        with suppress(OSError):
            state.withdraw(self.plan.run)
