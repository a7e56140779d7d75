"""Measures what the service adds to an OpenAI-compatible server: the same server directly, in the same run.

The server sends a hundred tokens at 20 a second to each of sixteen people, whatever their number. Directly
means a client that reads the streams and does nothing else. People ask within ARRIVE_SECONDS, so that most
streams run when the last one begins; all at the same moment is measured, too: questions then wait for each
other to be stored.

Then stock models beside generate() (stock.py).
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2 as httpx

from tests.bench import stock
from tests.bench.live import PACE_MS, SHORT, SLOW, TOKENS, Load
from tests.bench.report import ROOT, Figure, figure
from tests.faults.client import Crowd
from tests.faults.people import invite
from tests.grokweb.service import Service, eventually
from tests.inference.servers.driving import PATIENT, Driver, request

PEOPLE, ROUNDS = 16, 5
ARRIVE_SECONDS = 2.5
READ_MS = 200  # of a prompt that the server does not know
CONVERSATIONS, REPLICAS = 40, 4
MODEL = "paced"
MEASURED = ("web", "model-worker")


@contextmanager
def paced_server(pace_ms: float = PACE_MS, tokens: int = TOKENS, read_ms: float = READ_MS) -> Iterator[str]:
    """Yields the base URL of a server in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.paced_server", str(pace_ms), str(tokens), str(read_ms)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        finally:
            server.kill()


def stats(base: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{base}/stats") as answer:
        return dict(json.loads(answer.read()))


async def direct(base: str, people: int, arrive: float) -> list[tuple[float, float]]:
    """Returns (seconds to the first token, seconds a token after it) of each of so many streams.

    They begin within `arrive` seconds, in even steps.
    """
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=60, limits=limits) as client:

        async def one(number: int) -> tuple[float, float]:
            await asyncio.sleep(arrive * number / people)
            body = {"model": MODEL, "max_tokens": TOKENS, "stream": True}
            body["messages"] = [{"role": "user", "content": SLOW}]
            asked = time.perf_counter()
            times = []
            async with client.stream("POST", f"{base}/chat/completions", json=body) as response:
                async for event in httpx.EventSource(response):
                    if '"content": "w' in event.data:
                        times.append(time.perf_counter())
            return times[0] - asked, (times[-1] - times[0]) / (len(times) - 1)

        return await asyncio.gather(*(one(number) for number in range(people)))


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[94]


class Round:
    """One round through the service and one directly; times in milliseconds."""

    def __init__(self, service: Service, cookies: list[str], base: str) -> None:
        load = Load(service, cookies, arrive=ARRIVE_SECONDS)
        short = Load(service, cookies, arrive=ARRIVE_SECONDS, script=SHORT)
        burst = Load(service, cookies, arrive=0, script=SHORT)
        if lost := load.lost + short.lost + burst.lost:
            raise RuntimeError(f"{lost} tokens were lost")
        alone = asyncio.run(direct(base, PEOPLE, ARRIVE_SECONDS))
        ours = [(one["took"] - one["first"]) / (TOKENS - 1) for one in load.seen]
        self.token = 1000 * (p95(ours) - p95([each for _, each in alone]))
        self.first = 1000 * (p95([one["first"] for one in load.seen]) - p95([first for first, _ in alone]))
        self.burst = 1000 * (p95([one["first"] for one in burst.seen]) - p95([first for first, _ in alone]))
        self.asking = sum(short.cpu[name] for name in MEASURED)
        self.cpu = {name: (load.cpu[name] - short.cpu[name]) / (TOKENS - 1) for name in MEASURED}
        self.busy = load.busy


def abort_ms(service: Service, cookie: str, base: str) -> float:
    """Returns the time from a person's stop until the server sees its connection closed."""
    crowd = Crowd(service.port, [cookie]).wait_until_connected()
    try:
        [reply] = crowd.ask(SLOW)
        eventually(lambda: reply.seq > 3, "some tokens")
        stopped = time.monotonic()
        crowd.stop(reply)
        eventually(lambda: stats(base)["left_at"] > stopped, "the end of the connection")
        return float(1000 * (stats(base)["left_at"] - stopped))
    finally:
        crowd.close()


def second_turns(bases: list[str]) -> tuple[float, float]:
    """Returns the median milliseconds to the first token of second turns, and the share of known prompts."""
    texts: dict[str, str] = {}
    with Driver(*bases, model=MODEL, timeouts=PATIENT, slots=CONVERSATIONS) as driver:
        driver.wait_until(lambda: all(each.probed for each in driver.replicas()))
        firsts = []
        for turn in (1, 2):
            before = sum(stats(base)["hits"] for base in bases)
            asked = {}
            for number in range(CONVERSATIONS):
                name = f"{number}-{turn}"
                messages: list[dict[str, str]] = [{"role": "user", "content": f"Question {number}"}]
                if turn == 2:
                    messages += [
                        {"role": "assistant", "content": texts[f"{number}-1"]},
                        {"role": "user", "content": "And then?"},
                    ]
                asked[name] = time.perf_counter()
                driver.engine.submit(
                    request(generation_id=name, cache_key=f"c{number}", messages=tuple(messages)), ()
                )
            for name in asked:
                texts[name], _ = driver.result(name)
            firsts = [driver.times[name] - begun for name, begun in asked.items()]
        hits = sum(stats(base)["hits"] for base in bases) - before
    return 1000 * statistics.median(firsts), hits / CONVERSATIONS


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, paced_server() as base:
        environment = {
            "GROKWEB_MODEL": f"{base}#{MODEL}",
            "GROKWEB_SLOTS": str(PEOPLE),
            "GROKWEB_TITLES": "0",
        }
        service = Service(Path(folder), GROKWEB_DAILY_TOKENS="100000000", **environment)
        try:
            service.start().wait_until_ready()
            cookies = invite(PEOPLE, service.environment)
            Load(service, cookies, arrive=0)  # everything is loaded and connected once
            rounds = [Round(service, cookies, base) for _ in range(ROUNDS)]
            aborts = [abort_ms(service, cookies[0], base) for _ in range(ROUNDS)]
        finally:
            service.close()
    several, one, hits = [], [], []
    for _ in range(ROUNDS):
        with ExitStack() as servers:
            alone, *replicas = [servers.enter_context(paced_server(5, 13)) for _ in range(1 + REPLICAS)]
            first, share = second_turns(replicas)
            several.append(first)
            hits.append(100 * share)
            one.append(second_turns([alone])[0])
    people, now = f"p95 of {PEOPLE}", f"{REPLICAS} replicas"
    cpu = [sum(each.cpu.values()) for each in rounds]
    return [
        figure(f"server: added time a token, {people}", [r.token for r in rounds], "ms", floor=2.0, aim=1.0),
        figure(f"server: first token later, {people}", [r.first for r in rounds], "ms", floor=60.0, aim=30.0),
        figure(f"server: first token later, all at once, {people}", [r.burst for r in rounds], "ms"),
        figure("server: CPU of worker and web", cpu, "ms/token", floor=0.4, aim=0.2),
        *(figure(f"server: CPU, {name}", [r.cpu[name] for r in rounds], "ms/token") for name in MEASURED),
        figure("server: CPU of a question", [r.asking for r in rounds], "ms"),
        figure("server: machine busy", [r.busy for r in rounds], "%"),
        figure("server: a stop closes its connection", aborts, "ms", floor=1000.0, aim=200.0),
        figure(f"server: first token of turn 2, {now}", several, "ms", against=one, floor=1.2, aim=1.0),
        figure(f"server: prompts known on turn 2, {now}", hits, "%", better="higher", floor=90, aim=99),
        *stock.run(),
    ]
