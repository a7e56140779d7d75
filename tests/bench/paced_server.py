"""`python -m tests.bench.paced_server PACE_MS TOKENS READ_MS`: an OpenAI-compatible server at a fixed pace.

It prints its port. The first token comes READ_MS after a prompt whose beginning it has not seen, at once
after one that it has, as with a prefix cache. A question that begins with "echo:" gets one token.
`GET /v1/stats` tells how many prompts it knew, and when a client last left before the end, in seconds of the
monotonic clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from typing import Any

HEAD = "HTTP/1.1 200 OK\r\nContent-Type: {}\r\nConnection: close\r\n\r\n"


class Server:
    def __init__(self, pace: float, tokens: int, read: float) -> None:
        self.pace, self.tokens, self.read = pace, tokens, read
        self.known: set[str] = set()
        self.stats: dict[str, Any] = {"prompts": 0, "hits": 0, "left_at": 0.0}

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            path = head.split(" ", 2)[1]
            if path == "/v1/chat/completions":
                size = next(
                    int(line.partition(":")[2])
                    for line in head.split("\r\n")
                    if line.lower().startswith("content-length:")
                )
                await self.complete(json.loads(await reader.readexactly(size)), reader, writer)
            else:
                known = {"/v1/stats": self.stats, "/v1/models": {"data": [{"id": "paced"}]}}
                answer = json.dumps(known.get(path, {}))
                writer.write((HEAD.format("application/json") + answer).encode())
                await writer.drain()
        writer.close()

    async def complete(
        self, body: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if not isinstance(body["messages"][-1]["content"], str) or body["max_tokens"] <= 12:
            # the trial of a client that looks what the server can do
            await self.send(writer, [self.event("yes"), self.event("", "stop")])
            return
        *before, last = [f"{each['role']}:{each['content']}" for each in body["messages"]]
        self.stats["prompts"] += 1
        is_known = not before or "\n".join(before) in self.known
        self.stats["hits"] += bool(before) and is_known
        tokens = 1 if body["messages"][-1]["content"].startswith("echo:") else self.tokens
        writer.write(HEAD.format("text/event-stream").encode())
        left = asyncio.ensure_future(reader.read(1))
        await asyncio.wait({left}, timeout=self.pace if is_known and before else self.read)
        begun = time.monotonic()
        texts = []
        for number in range(1, tokens + 1):
            texts.append(f"w{number} " if number < tokens else f"w{number}")
            writer.write(self.event(texts[-1]).encode())
            await asyncio.wait({left}, timeout=max(0.0, begun + number * self.pace - time.monotonic()))
            if left.done():
                left.exception()  # a client that resets the connection has left, too
                self.stats["left_at"] = time.monotonic()
                return
        left.cancel()
        usage = {"choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": tokens}}
        self.known.add("\n".join([*before, last, f"assistant:{''.join(texts)}"]))
        writer.write((self.event("", "stop") + f"data: {json.dumps(usage)}\n\ndata: [DONE]\n\n").encode())
        await writer.drain()

    @staticmethod
    def event(text: str, finish: str | None = None) -> str:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
        return f"data: {json.dumps({'choices': [choice]})}\n\n"

    @staticmethod
    async def send(writer: asyncio.StreamWriter, events: list[str]) -> None:
        writer.write((HEAD.format("text/event-stream") + "".join(events)).encode())
        await writer.drain()


async def main(pace_ms: float, tokens: int, read_ms: float) -> None:
    made = Server(pace_ms / 1000, tokens, read_ms / 1000)
    server = await asyncio.start_server(made.connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
