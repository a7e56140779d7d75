"""A browser tab without a browser: reconnects, follows replies as docs/protocol.md says, counts what it saw.

The drills and the benchmarks use the same one. The rules themselves are tests/protocol/reducer.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from tests.protocol import reducer
from tests.protocol.reducer import Frame, State

BACK_AFTER, BACK_AT_MOST = 0.1, 1.0  # seconds before a lost connection is tried again


@dataclass
class Reply:
    """Holds one question, what the page knows of its reply, and what a drill counts besides."""

    content: str
    client_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    model: str = ""  # empty: the one of new chats
    also: str = ""  # a second model, which answers beside it
    beside: Reply | None = None  # that answer, once the question is acknowledged
    conversation: str = ""
    continues: str = ""  # the message that it continues, instead of a question
    state: State = field(default_factory=State)
    places: list[int] = field(default_factory=list)
    done: Frame | None = None
    ends: int = 0
    pieces: int = 0
    spans: list[tuple[int, int]] = field(default_factory=list)  # of accepted pieces: after, seq
    times: list[float] = field(default_factory=list)  # when they came
    repeats: int = 0  # pieces that were there already
    restarts: int = 0  # pieces that began the text, or a part of it, again
    holes: int = 0  # pieces that did not fit: asked for again
    sent_at: float = 0.0
    first_at: float = 0.0
    done_at: float = 0.0

    @property
    def message_id(self) -> str:
        return self.state.message_id

    @property
    def generation_id(self) -> str:
        return self.state.generation_id

    @property
    def text(self) -> str:
        return self.state.text

    @property
    def seq(self) -> int:
        return self.state.seq

    @property
    def resume_after(self) -> int:
        """Returns the token after which to resume, when `apply` says so."""
        return self.state.resume or 0

    def acknowledged(self, message_id: str, generation_id: str) -> None:
        """Notes which reply to watch; a question that was sent again gets the same one."""
        if self.message_id != message_id:
            self.state = State(message_id, generation_id)

    def reconnected(self) -> bool:
        """Returns whether to resume from `seq` on a new connection."""
        self.state = reducer.reconnected(self.state)
        return self.state.status == "live"

    def apply(self, frame: Frame) -> bool:
        """Applies a frame as a page does; returns whether the page must ask for what it misses."""
        before, self.state = self.state, reducer.apply(self.state, frame)
        self._count(before, frame)
        return self.state.asks > before.asks

    def _count(self, before: State, frame: Frame) -> None:
        asked = self.state.asks > before.asks
        if frame["type"] == "token":
            self._count_piece(before, frame, asked=asked)
        elif frame["type"] == "message" and self.state.saved and self.seq > before.seq:
            self.spans.append((before.seq, self.seq))  # it comes whole, not in pieces
        elif frame["type"] == "queued":
            self.places.append(frame["position"])
        elif frame["type"] == "done":
            self.ends += 1
            self.holes += asked
            if self.state.status != "live" and self.done is None:
                self.done, self.done_at = frame, time.perf_counter()

    def _count_piece(self, before: State, frame: Frame, *, asked: bool) -> None:
        after, seq = frame["after"], frame["seq"]
        if (self.state.seq, self.state.run) == (before.seq, before.run):
            self.holes += asked
            self.repeats += seq <= before.seq
            return
        if after < before.seq or self.state.run > before.run:
            self.restarts += self.state.run == before.run  # a new run replaces what was seen on purpose
            self.spans = [span for span in self.spans if span[1] <= after]
        self.pieces += 1
        self.spans.append((after, seq))
        self.times.append(time.perf_counter())
        self.first_at = self.first_at or self.times[-1]

    def saw_each_once(self) -> bool:
        """Returns whether every token came in one piece and in no other."""
        ends = [0, *(seq for _, seq in self.spans)]
        is_chain = [after for after, _ in self.spans] == ends[:-1] and ends[-1] == self.seq
        return not self.repeats and not self.restarts and is_chain

    def is_whole(self) -> bool:
        """Returns whether the text is the one that `done` vouches for."""
        return (
            self.done is not None and self.done["seq"] == self.seq and reducer.is_whole(self.state, self.done)
        )


class Tab:
    """Drives one websocket of one person: comes back when it is lost, and asks for what it missed."""

    def __init__(self, port: int, cookie: str) -> None:
        self._url = f"ws://127.0.0.1:{port}/ws/"
        self._headers = {"Cookie": cookie, "Origin": f"http://127.0.0.1:{port}"}
        self.replies: list[Reply] = []
        self.errors: list[Frame] = []
        self.closes: list[int | None] = []
        self.connections = 0
        self.hello = asyncio.Event()
        self._socket: ClientConnection | None = None

    async def run(self) -> None:
        pause = BACK_AFTER
        while True:
            try:
                async with connect(
                    self._url,
                    additional_headers=self._headers,
                    max_size=1 << 20,
                    compression=None,
                    proxy=None,
                ) as socket:
                    pause = BACK_AFTER
                    await self._listen(socket)
            except (OSError, TimeoutError, InvalidHandshake, WebSocketException):
                pass
            finally:
                self._socket = None
                self.hello.clear()
            await asyncio.sleep(pause)
            pause = min(pause * 2, BACK_AT_MOST)

    async def _listen(self, socket: ClientConnection) -> None:
        try:
            async for raw in socket:
                frame = json.loads(raw)
                if frame["type"] == "hello":
                    self.connections += 1
                    self._socket = socket
                    self.hello.set()
                    for reply in self.replies:
                        await self._ask_again(reply)
                else:
                    await self._take(frame)
        finally:
            self.closes.append(socket.close_code)

    async def _ask_again(self, reply: Reply) -> None:
        """After a reconnect: unacknowledged questions once more, unfinished replies from where they are."""
        if not reply.reconnected() and reply.done is not None:
            return  # a saved message ends a reply for a page; a drill waits for its `done`, too
        if reply.message_id:
            await self._send(
                {"type": "resume", "message_id": reply.message_id, "after": reply.seq, "run": reply.state.run}
            )
        else:
            await self._send_question(reply)

    async def _take(self, frame: Frame) -> None:
        if frame["type"] == "error":
            self.errors.append(frame)
            return
        if frame["type"] == "ack":
            for reply in list(self.replies):
                if reply.client_id == frame["client_id"]:
                    self._acknowledged(reply, frame)
            return
        named = frame.get("message_id") or frame.get("message", {}).get("id")
        for reply in self.replies:
            if reply.message_id == named and reply.apply(frame):
                await self._send(
                    {
                        "type": "resume",
                        "message_id": reply.message_id,
                        "after": reply.resume_after,
                        "run": reply.state.run,
                    }
                )

    def _acknowledged(self, reply: Reply, ack: Frame) -> None:
        reply.conversation = ack["conversation"]["id"]
        reply.acknowledged(ack["message_id"], ack["generation_id"])
        if not reply.also:
            return
        second = ack["messages"][-1]
        beside = reply.beside or Reply(reply.content, model=reply.also, conversation=reply.conversation)
        beside.acknowledged(second["id"], second["generation"]["id"])
        if reply.beside is None:
            reply.beside = beside
            self.replies.append(beside)

    async def ask(self, content: str, model: str = "", also: str = "") -> Reply:
        """A new conversation's first message, to one model or two."""
        reply = Reply(content, model=model, also=also)
        self.replies.append(reply)
        reply.sent_at = time.perf_counter()
        await self._send_question(reply)
        return reply

    async def stop(self, reply: Reply) -> None:
        await self._send({"type": "stop", "message_id": reply.message_id})

    async def go_on(self, cut: Reply) -> Reply:
        """Continues a reply that was cut."""
        reply = Reply(cut.content, continues=cut.message_id)
        self.replies.append(reply)
        reply.sent_at = time.perf_counter()
        await self._send_question(reply)
        return reply

    async def follow(self, other: Reply) -> Reply:
        """Follows a reply that another tab of this person asked for."""
        reply = Reply(other.content, model=other.model)
        reply.acknowledged(other.message_id, other.generation_id)
        self.replies.append(reply)
        await self._ask_again(reply)
        return reply

    async def decide(self, call: str, *, allow: bool) -> None:
        await self._send({"type": "decide", "call": call, "allow": allow})

    async def _send_question(self, reply: Reply) -> None:
        if reply.continues:
            asked = {"type": "continue", "message_id": reply.continues, "client_id": reply.client_id}
            await self._send(asked)
            return
        question: Frame = {"type": "send", "conversation": None, "parent": None}
        if reply.model:
            question["start"] = {"model": reply.model}
        if reply.also:
            question["also"] = reply.also
        await self._send({**question, "content": reply.content, "client_id": reply.client_id})

    async def _send(self, frame: Frame) -> None:
        """Lost with its connection: the next one asks again."""
        if self._socket is not None:
            with contextlib.suppress(WebSocketException):
                await self._socket.send(json.dumps(frame))


class Crowd:
    """Several people with a tab each, in a thread of their own, so that a plain test can watch them."""

    def __init__(self, port: int, cookies: list[str]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="crowd", daemon=True)
        self._thread.start()
        self.tabs = [Tab(port, cookie) for cookie in cookies]
        self._runs = [asyncio.run_coroutine_threadsafe(tab.run(), self._loop) for tab in self.tabs]

    def wait_until_connected(self, seconds: float = 30.0) -> Crowd:
        async def all_connected() -> None:
            await asyncio.wait_for(asyncio.gather(*(tab.hello.wait() for tab in self.tabs)), seconds)

        self._do(all_connected())
        return self

    def ask(self, content: str, who: slice = slice(None), model: str = "", also: str = "") -> list[Reply]:
        """Everybody (of `who`) asks the same at the same moment."""

        async def together() -> list[Reply]:
            return await asyncio.gather(*(tab.ask(content, model, also) for tab in self.tabs[who]))

        return self._do(together())

    def stop(self, reply: Reply) -> None:
        self._do(self._tab_of(reply).stop(reply))

    def go_on(self, reply: Reply) -> Reply:
        continued: Reply = self._do(self._tab_of(reply).go_on(reply))
        return continued

    def _tab_of(self, reply: Reply) -> Tab:
        return next(tab for tab in self.tabs if reply in tab.replies)

    def follow(self, replies: Sequence[Reply]) -> list[Reply]:
        """Each person follows in this tab what they asked for in another, in the order of the tabs."""

        async def together() -> list[Reply]:
            pairs = zip(self.tabs, replies, strict=True)
            return await asyncio.gather(*(tab.follow(reply) for tab, reply in pairs))

        return self._do(together())

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Begins what a tab does, without a wait for its end."""
        asyncio.run_coroutine_threadsafe(work, self._loop)

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    @property
    def replies(self) -> list[Reply]:
        return [reply for tab in self.tabs for reply in tab.replies]

    @property
    def errors(self) -> list[Frame]:
        return [error for tab in self.tabs for error in tab.errors]

    def close(self) -> None:
        async def leave() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._do(leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def answer_of(script: str) -> str:
    """Returns the scripted engine's answer if nothing disturbs it."""
    verb, _, rest = script.partition(":")
    if verb == "think":
        return divided(script)[1]
    return words(int(rest.partition(":")[0])) if verb == "slow" else script.removeprefix("echo:")


def divided(script: str) -> tuple[str, str]:
    """Returns the thought and the answer of `think:<words of the thought>:<script>`."""
    _verb, count, rest = script.split(":", 2)
    everything = re.findall(r"\S+\s*", answer_of(rest))
    return "".join(everything[: int(count)]), "".join(everything[int(count) :])


def words(count: int) -> str:
    """Returns the answer to `slow:<count>` if nothing disturbs it."""
    return " ".join(f"w{number}" for number in range(1, count + 1))


def wait_for(check: Callable[[], object], what: Callable[[], str] | str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.02)
