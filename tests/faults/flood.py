"""`python -m tests.faults.flood COOKIE SECONDS SOCKETS all|reads PORT…`: one person asks without pause.

In a process of its own, so that who measures is not slowed down by who floods. Prints as JSON how many frames
were answered and how many of them were refused.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections import Counter

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

LONG = "x" * 60_000


def frames() -> list[str]:
    """Reads, sends, and frames that are long and wrong."""
    nobody = str(uuid.uuid4())
    return [
        json.dumps({"type": "resume", "message_id": nobody, "after": 0}),
        json.dumps({"type": "send", "conversation": nobody, "content": LONG, "client_id": uuid.uuid4().hex}),
        json.dumps(
            {"type": "send", "conversation": nobody, "content": "hello", "client_id": uuid.uuid4().hex}
        ),
        json.dumps({"type": "stop", "message_id": nobody, "ref": LONG}),
    ]


async def flood(port: int, cookie: str, until: float, answers: Counter[str], kind: str) -> None:
    origin = f"http://127.0.0.1:{port}"
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        try:
            async with connect(
                f"ws://127.0.0.1:{port}/ws/",
                additional_headers={"Cookie": cookie, "Origin": origin},
                compression=None,
                proxy=None,
                open_timeout=30,
            ) as socket:
                await socket.recv()
                answers["hello"] += 1
                count = asyncio.create_task(listen(socket, answers))
                try:
                    while loop.time() < until:
                        for frame in frames() if kind == "all" else frames()[:1]:
                            async with asyncio.timeout(max(0.01, until - loop.time())):
                                await socket.send(frame)
                            await asyncio.sleep(0.002)  # the other sockets' turn
                finally:
                    count.cancel()
                    socket.transport.abort()
        except (OSError, TimeoutError, WebSocketException):
            answers["lost"] += 1
            await asyncio.sleep(0.1)


async def listen(socket: object, answers: Counter[str]) -> None:
    async for frame in socket:  # type: ignore[attr-defined]
        answers[json.loads(frame).get("code", "other")] += 1


async def main(cookie: str, seconds: float, sockets: int, kind: str, ports: list[int]) -> None:
    answers: Counter[str] = Counter()
    until = asyncio.get_running_loop().time() + seconds
    await asyncio.gather(
        *(flood(ports[number % len(ports)], cookie, until, answers, kind) for number in range(sockets))
    )
    print(json.dumps(answers))


if __name__ == "__main__":
    given = sys.argv[1:]
    asyncio.run(main(given[0], float(given[1]), int(given[2]), given[3], [int(port) for port in given[4:]]))
