"""The live path under load: a real service with the scripted engine, people in another process.

CPU is user plus system time of the process from /proc, from the moment before the first question until after
the last end: storing the questions, streaming, saving. Connecting is not in it.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.report import ROOT, Figure, figure
from tests.faults.people import invite
from tests.grokweb.service import Service

TOKENS, PACE_MS = 100, 50
SLOW, SHORT = f"slow:{TOKENS}:{PACE_MS}", "echo:Hello."  # a hundred tokens at 20 a second; one token
ARRIVE_SECONDS = 5.0
MOST = 100
ROUNDS = 3
ENVIRONMENT = {
    "GROKWEB_SLOTS": "128",
    "GROKWEB_QUEUE_LIMIT": "1000",
    "GROKWEB_DAILY_TOKENS": "100000000",
}
PROCESSES = {"web": "web", "chat-worker": "chat worker", "model-worker": "model worker"}
TICK = os.sysconf("SC_CLK_TCK")


def cpu_ms(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / TICK


def machine() -> tuple[int, int]:
    """Busy and all ticks of all cores."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


class Load:
    """One round: so many people ask once."""

    def __init__(
        self, service: Service, cookies: list[str], *, arrive: float = ARRIVE_SECONDS, script: str = SLOW
    ) -> None:
        self.tokens = TOKENS if script == SLOW else 1
        orders = {"port": service.port, "cookies": cookies, "script": script, "arrive": arrive}
        crowd = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.crowd"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert crowd.stdin is not None
        assert crowd.stdout is not None
        with crowd, crowd.stdin, crowd.stdout:
            print(json.dumps(orders), file=crowd.stdin, flush=True)
            assert crowd.stdout.readline().strip() == "ready"
            before = {name: cpu_ms(service.pid(name)) for name in PROCESSES}
            busy, all_ = machine()
            print("go", file=crowd.stdin, flush=True)
            self.seen: list[dict[str, Any]] = json.loads(crowd.stdout.readline())
            busy, all_ = machine()[0] - busy, machine()[1] - all_
            self.busy = 100 * busy / max(all_, 1)
            # Milliseconds a reply.
            self.cpu = {n: (cpu_ms(service.pid(n)) - before[n]) / len(cookies) for n in PROCESSES}

    @property
    def lost(self) -> int:
        """Tokens that did not arrive, or not in order on the one connection."""
        missing = sum(self.tokens - one["seq"] for one in self.seen)
        unfit = sum(one["holes"] + (one["connections"] - 1) + (not one["whole"]) for one in self.seen)
        return missing + unfit

    def first_ms(self, quantile: int) -> float:
        return statistics.quantiles([one["first"] * 1000 for one in self.seen], n=100)[quantile - 1]

    @property
    def pieces(self) -> float:
        return statistics.mean(one["pieces"] for one in self.seen)


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        service = Service(Path(folder), **ENVIRONMENT)
        try:
            service.start().wait_until_ready()
            cookies = invite(MOST, service.environment)
            Load(service, cookies[:10], arrive=0)  # everything is loaded and connected once
            spread = {n: [Load(service, cookies[:n]) for _ in range(ROUNDS)] for n in (25, MOST)}
            short = [Load(service, cookies[:25], script=SHORT) for _ in range(ROUNDS)]
            burst = [Load(service, cookies, arrive=0) for _ in range(ROUNDS)]
        finally:
            service.close()
    lost = sum(r.lost for r in [*spread[25], *spread[MOST], *short, *burst])  # of all rounds, not a median
    figures = [figure("live lost tokens, all rounds", [lost], "tokens", floor=0, aim=0)]
    for number, rounds in spread.items():
        for name, words in PROCESSES.items():
            limits = {"floor": 250.0, "aim": 150.0} if (name, number) == ("web", 25) else {}
            values = [r.cpu[name] * 1000 / TOKENS for r in rounds]
            figures.append(figure(f"live {words} CPU, {number} users", values, "ms/1000 tokens", **limits))
    asking = [r.cpu["web"] for r in short]
    figures.append(figure("live web CPU, storing a question, 25 users", asking, "ms/question"))
    streaming = [(r.cpu["web"] - a) * 1000 / TOKENS for r, a in zip(spread[25], asking, strict=True)]
    figures.append(figure("live web CPU, streaming alone, 25 users", streaming, "ms/1000 tokens"))
    for number, rounds in spread.items():
        for q in (50, 95):
            limits = {"floor": 300.0, "aim": 150.0} if (q, number) == (95, MOST) else {}
            values = [r.first_ms(q) for r in rounds]
            figures.append(figure(f"live first token p{q}, {number} users over 5 s", values, "ms", **limits))
    for q in (50, 95):
        figures.append(
            figure(f"live first token p{q}, {MOST} users at once", [r.first_ms(q) for r in burst], "ms")
        )
    figures.append(figure("live frames a reply of 100 tokens", [r.pieces for r in spread[MOST]], "frames"))
    # Not ours to judge: above some 60 % something else runs on this machine, and the times say little.
    figures.append(figure(f"machine busy, {MOST} users over 5 s", [r.busy for r in spread[MOST]], "%"))
    return figures
