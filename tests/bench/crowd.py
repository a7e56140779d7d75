"""The people of the live-path benchmark, in a process of their own: their work is not the service's.

`python -m tests.bench.crowd`, its orders as JSON on standard input: port, cookies, script, arrive (seconds
over which the questions are spread evenly; 0: all in the same instant). Prints `ready` once everybody is
connected, begins at a line on standard input, prints what everybody saw as JSON.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from typing import Any

from tests.faults.client import Reply, Tab


async def one(tab: Tab, delay: float, script: str) -> Reply:
    await asyncio.sleep(delay)
    reply = await tab.ask(script)
    while reply.done is None and not tab.errors:
        await asyncio.sleep(0.05)
    return reply


async def main(orders: dict[str, Any]) -> list[dict[str, Any]]:
    tabs = [Tab(orders["port"], cookie) for cookie in orders["cookies"]]
    runs = []
    for tab in tabs:  # one after the other: connecting is not what is measured
        runs.append(asyncio.create_task(tab.run()))
        await asyncio.wait_for(tab.hello.wait(), 60)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    gc.disable()
    step = orders["arrive"] / len(tabs)
    replies = await asyncio.gather(*(one(tab, i * step, orders["script"]) for i, tab in enumerate(tabs)))
    for run in runs:
        run.cancel()
    await asyncio.gather(*runs, return_exceptions=True)
    return [
        {
            "seq": reply.seq,
            "whole": reply.is_whole(),
            "holes": reply.holes + reply.repeats + reply.restarts,
            "pieces": reply.pieces,
            "connections": tab.connections,
            "errors": [error["code"] for error in tab.errors],
            "first": reply.first_at - reply.sent_at,
            "took": reply.done_at - reply.sent_at,
        }
        for tab, reply in zip(tabs, replies, strict=True)
    ]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.stdin.readline())))), flush=True)
