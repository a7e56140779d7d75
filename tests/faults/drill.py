"""One drill: people ask, something breaks, and every reply must end as if nothing had."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import redis

from tests.faults.client import Crowd, Reply, answer_of, wait_for
from tests.faults.rows import CHARGED_FOR_FAILURES, COUNTED, LIVE, RESERVED, UNSETTLED, USED, Rows
from tests.faults.store import Store
from tests.grokweb.service import NAMES, TOOLS, Service, is_running

WORDS, PACE_MS = 60, 40
SCRIPT = f"slow:{WORDS}:{PACE_MS}"
PATIENCE = 60.0  # a busy machine
SILENCE = 0.25  # seconds without a token are an interruption; PACE_MS is far below


@dataclass(frozen=True)
class Blow:
    """A fault, and the replies that it caught in the middle."""

    at: float
    caught: Sequence[Reply]

    def waits_over(self) -> bool:
        """Returns whether one of those that fell silent goes on."""
        return any(seen is not None and seen[1] for seen in map(self._next_of, self.caught))

    def waits(self) -> list[float]:
        """Seconds to the next token of each reply that it interrupted; of all it caught, if it did none."""
        seen = [self._next_of(reply) for reply in self.caught]
        waits = [(until - self.at, silent) for until, silent in filter(None, seen)]
        return [wait for wait, silent in waits if silent] or [wait for wait, _ in waits]

    def _next_of(self, reply: Reply) -> tuple[float, bool] | None:
        """The end of the first silence after the fault: until then, pieces come that were under way."""
        after = [at for at in reply.times if at > self.at]
        for before, at in zip([self.at, *after], after, strict=False):
            if at - before >= SILENCE:
                return at, True
        return (after[0], False) if after else None


@dataclass
class Drill:
    service: Service
    rows: Rows
    crowd: Crowd
    blows: list[Blow] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return Store(self.service.data)

    # --- people -------------------------------------------------------------------------------------------

    def ask(self, content: str = SCRIPT, who: slice = slice(None)) -> list[Reply]:
        return self.crowd.ask(content, who)

    def keep_asking(self) -> None:
        """Whoever has their answer asks again; call it while waiting."""
        for place, tab in enumerate(self.crowd.tabs):
            if all(reply.done for reply in tab.replies):
                self.ask(who=slice(place, place + 1))

    def stop(self, reply: Reply) -> None:
        self.crowd.stop(reply)

    def go_on(self, reply: Reply) -> Reply:
        return self.crowd.go_on(reply)

    def wait(self, check: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
        wait_for(check, lambda: f"{what}\n{self.state()}", seconds)

    def wait_until_writing(self, tokens: int, *, replies: int) -> None:
        """So many replies are in the middle."""
        self.wait(
            lambda: sum(tokens <= reply.seq < WORDS for reply in self.crowd.replies) >= replies,
            f"{replies} replies at {tokens} tokens",
        )

    def wait_until_acknowledged(self, replies: list[Reply]) -> None:
        self.wait(lambda: all(reply.message_id for reply in replies), "all acknowledged")

    # --- processes ----------------------------------------------------------------------------------------

    def in_the_middle(self) -> list[Reply]:
        return [reply for reply in self.crowd.replies if reply.seq and reply.done is None]

    def in_hand_of(self, pid: int) -> list[Reply]:
        """The replies in the middle that one of several model workers holds."""
        middle = self.in_the_middle()
        holders = self.store.holders([reply.generation_id for reply in middle])
        return [reply for reply in middle if holders.get(reply.generation_id) == pid]

    def strike(self, pid: int, number: signal.Signals, caught: Sequence[Reply] | None = None) -> None:
        """The fault itself; the table of `make drills` counts from here."""
        self.blows.append(Blow(time.perf_counter(), self.in_the_middle() if caught is None else caught))
        os.kill(pid, number)

    def send_signal(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        pid = self.service.pid(name)
        if number == signal.SIGCONT:
            os.kill(pid, number)
        else:
            self.strike(pid, number)
        return pid

    @contextmanager
    def suspended(self, name: str) -> Iterator[None]:
        """Stops a process for the length of the block, at a moment at which it does not lock the database."""
        pid = self.send_signal(name, signal.SIGSTOP)
        try:
            while not self.rows.can_be_written():
                os.kill(pid, signal.SIGCONT)
                time.sleep(0.01)  # the transaction that it was in ends
                os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Returns when it is dead."""
        pid = self.send_signal(name, number)
        self.wait(lambda: not is_running(pid), f"{name} ended")

    def all_run(self) -> bool:
        pids = self.service.pids()
        names = {*NAMES, *([TOOLS] if "GROKWEB_TOOLS" in self.service.environment else [])}
        return set(pids) == names and all(map(is_running, pids.values())) and self.service.is_ready()

    def wait_until_whole(self) -> None:
        """Every process runs: the next drill starts from here."""
        self.wait(self.all_run, "all processes up")

    # --- what must be true at the end ---------------------------------------------------------------------

    def wait_until_done(self, seconds: float = PATIENCE) -> None:
        self.wait(lambda: all(reply.done for reply in self.crowd.replies), "every reply ended", seconds)

    def row(self, reply: Reply) -> dict[str, Any]:
        return self.rows.replies()[reply.generation_id]

    def ended_well(
        self, *, others: tuple[Reply, ...] = (), undisturbed: Mapping[str, str] | None = None
    ) -> None:
        """All replies but `others` are complete, equal to an undisturbed run, seen, saved and charged once.

        `undisturbed` has the texts by generation id; without it the script says them.
        """
        self.wait_until_done()
        self.is_settled()
        rows = self.rows.replies()
        for reply in self.crowd.replies:
            row = rows[reply.generation_id]
            assert reply.is_whole(), f"done does not vouch for the text: {reply}"
            assert reply.ends == 1, f"{reply.ends} ends: {reply}"
            assert reply.holes == 0, f"{reply.holes} pieces did not fit: {reply}"
            assert reply.saw_each_once(), f"not each token once: {reply}"
            assert row["text"] == reply.text
            assert row["tokens"] == reply.seq
            if not any(reply is other for other in others):
                wanted = undisturbed[reply.generation_id] if undisturbed else answer_of(reply.content)
                assert reply.text.encode() == wanted.encode()
                assert reply.done is not None
                assert (row["status"], reply.done["status"]) == ("complete", "complete")
                assert row["strikes"] < 2
        assert self.crowd.errors == []

    def nobody_is_blamed(self, replies: Sequence[Reply]) -> None:
        """A worker that woke has said so: strikes are taken back, a moment after the end perhaps."""
        self.wait(lambda: not any(self.row(reply)["strikes"] for reply in replies), "no strike left")

    def is_settled(self) -> None:
        """No live row, no reservation, nothing in Redis' queue; every token charged once, failures never."""

        def quiet() -> bool:
            return not any(map(self.rows.one, (LIVE, UNSETTLED, RESERVED)))

        self.wait(quiet, "everything settled")
        assert self.rows.one(USED) == self.rows.one(COUNTED)
        assert self.rows.one(CHARGED_FOR_FAILURES) == 0
        self.wait(lambda: not self.store.leftovers(), "Redis' queue empty")

    def state(self) -> str:
        """For whoever reads a failure."""
        rows = self.rows.replies()
        dead = [name for name, pid in self.service.pids().items() if not is_running(pid)]
        lines = [f"processes {self.service.pids()}, dead {dead}, ready {self.service.get('/readyz')}"]
        for reply in self.crowd.replies:
            row = {k: v for k, v in rows.get(reply.generation_id, {}).items() if k != "text"}
            status = reply.done["status"] if reply.done else "open"
            lines.append(f"{reply.generation_id or 'no ack'} {status} seq {reply.seq} row {row}")
        try:
            lines.append(f"in Redis {self.store.leftovers()}")
        except (OSError, redis.RedisError) as error:
            lines.append(f"Redis does not answer: {error}")
        return "\n".join([*lines, *self.service.lines[-15:]])
