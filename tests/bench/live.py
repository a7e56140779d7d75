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
SCRIPT = f"slow:{TOKENS}:{PACE_MS}"
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


class Load:
    """One round: so many people ask once."""

    def __init__(self, service: Service, cookies: list[str], arrive: float) -> None:
        orders = {"port": service.port, "cookies": cookies, "script": SCRIPT, "arrive": arrive}
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
            print("go", file=crowd.stdin, flush=True)
            self.seen: list[dict[str, Any]] = json.loads(crowd.stdout.readline())
            per_thousand = 1000 / (len(cookies) * TOKENS)
            self.cpu = {name: (cpu_ms(service.pid(name)) - before[name]) * per_thousand for name in PROCESSES}

    @property
    def lost(self) -> int:
        """Tokens that did not arrive, or not in order on the one connection."""
        missing = sum(TOKENS - one["seq"] for one in self.seen)
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
            Load(service, cookies[:10], 0)  # everything is loaded and connected once
            spread = {
                n: [Load(service, cookies[:n], ARRIVE_SECONDS) for _ in range(ROUNDS)] for n in (25, MOST)
            }
            burst = [Load(service, cookies, 0) for _ in range(ROUNDS)]
        finally:
            service.close()
    figures = [
        figure("live lost tokens, 25 users", [r.lost for r in spread[25]], "tokens", floor=0, aim=0),
        figure("live lost tokens, 100 users", [r.lost for r in spread[MOST]], "tokens", floor=0, aim=0),
        figure("live lost tokens, 100 users at once", [r.lost for r in burst], "tokens", floor=0, aim=0),
    ]
    for number, rounds in spread.items():
        for name, words in PROCESSES.items():
            limits = {"floor": 250.0, "aim": 150.0} if (name, number) == ("web", 25) else {}
            values = [r.cpu[name] for r in rounds]
            figures.append(figure(f"live {words} CPU, {number} users", values, "ms/1000 tokens", **limits))
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
    return figures
