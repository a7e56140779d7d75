"""One drill: people ask, something breaks, and every reply must end as if nothing had."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.faults.client import Crowd, Reply, wait_for, words
from tests.faults.rows import COUNTED, RESERVED, UNSETTLED, USED, Rows
from tests.grokweb.service import NAMES, Service, is_running

WORDS, PACE_MS = 60, 40
SCRIPT = f"slow:{WORDS}:{PACE_MS}"
PATIENCE = 60.0  # a busy machine


@dataclass
class Drill:
    service: Service
    rows: Rows
    crowd: Crowd

    # --- people -------------------------------------------------------------------------------------------

    def ask(self, content: str = SCRIPT, who: slice = slice(None)) -> list[Reply]:
        return self.crowd.ask(content, who)

    def stop(self, reply: Reply) -> None:
        self.crowd.stop(reply)

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

    def send_signal(self, name: str, number: signal.Signals = signal.SIGKILL) -> int:
        pid = self.service.pid(name)
        os.kill(pid, number)
        return pid

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Returns when it is dead."""
        pid = self.send_signal(name, number)
        self.wait(lambda: not is_running(pid), f"{name} ended")

    def all_run(self) -> bool:
        pids = self.service.pids()
        return set(pids) == set(NAMES) and all(map(is_running, pids.values())) and self.service.is_ready()

    def wait_until_whole(self) -> None:
        """Every process runs: the next drill starts from here."""
        self.wait(self.all_run, "all processes up")

    # --- what must be true at the end ---------------------------------------------------------------------

    def wait_until_done(self, seconds: float = PATIENCE) -> None:
        self.wait(lambda: all(reply.done for reply in self.crowd.replies), "every reply ended", seconds)

    def row(self, reply: Reply) -> dict[str, Any]:
        return self.rows.replies()[reply.generation_id]

    def ended_well(self, *, others: tuple[Reply, ...] = ()) -> None:
        """All replies but `others` are complete, equal to an undisturbed run, saved and charged once."""
        self.wait_until_done()
        self.is_settled()
        rows = self.rows.replies()
        undisturbed = words(WORDS)
        for reply in self.crowd.replies:
            row = rows[reply.generation_id]
            assert reply.is_whole(), f"done does not vouch for the text: {reply}"
            assert reply.ends == 1, f"{reply.ends} ends: {reply}"
            assert reply.holes == 0, f"{reply.holes} pieces did not fit: {reply}"
            assert row["text"] == reply.text
            assert row["tokens"] == reply.seq
            if not any(reply is other for other in others):
                assert reply.text == undisturbed
                assert reply.done is not None
                assert (row["status"], reply.done["status"]) == ("complete", "complete")
                assert row["strikes"] < 2
        assert self.crowd.errors == []

    def is_settled(self) -> None:
        """No live row, no reservation left, every token charged once."""

        def quiet() -> bool:
            live = [row for row in self.rows.replies().values() if row["status"] in ("queued", "running")]
            return not live and self.rows.one(UNSETTLED) == 0 and self.rows.one(RESERVED) == 0

        self.wait(quiet, "everything settled")
        assert self.rows.one(USED) == self.rows.one(COUNTED)

    def state(self) -> str:
        """For whoever reads a failure."""
        rows = self.rows.replies()
        lines = [f"processes {self.service.pids()}"]
        for reply in self.crowd.replies:
            row = {k: v for k, v in rows.get(reply.generation_id, {}).items() if k != "text"}
            status = reply.done["status"] if reply.done else "open"
            lines.append(f"{reply.generation_id or 'no ack'} {status} seq {reply.seq} row {row}")
        return "\n".join([*lines, *self.service.lines[-15:]])
