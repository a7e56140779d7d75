"""Replies that call the tools of tests/tools.py, and a page that follows them."""

from __future__ import annotations

import json
from typing import Any

from asgiref.sync import sync_to_async

from chat.conversations.models import Message
from chat.turns.models import Generation, ToolCall
from tests.chat.turns.exchange import saved, send
from tests.faults.client import Reply


def call(name: str = "echo", **arguments: Any) -> str:
    return f"call:{name}:{json.dumps({'text': 'hi there', **arguments})}"


class Page:
    """A tab that follows one reply as a page does."""

    def __init__(self, tab: Any, script: str) -> None:
        self.tab, self.reply = tab, Reply(script)
        self.calls: dict[str, dict[str, Any]] = {}
        self.states: list[str] = []

    async def ask(self) -> dict[str, Any]:
        await self.tab.say(**send(self.reply.content))
        ack: dict[str, Any] = await self.tab.until("ack")
        self.reply.acknowledged(ack["message_id"], ack["generation_id"])
        return ack

    async def take(self) -> dict[str, Any]:
        frame: dict[str, Any] = await self.tab.next()
        assert frame["type"] not in {"error", "close"}, frame
        if frame["type"] == "call":
            known = self.calls.get(frame["call"]["id"])
            if known is None or frame["call"]["version"] > known["version"]:
                self.calls[frame["call"]["id"]] = frame["call"]
                self.states.append(frame["call"]["status"])
        elif self.reply.apply(frame):
            resume = {"type": "resume", "message_id": self.reply.message_id}
            await self.tab.say(**resume, after=self.reply.resume_after, run=self.reply.state.run)
        return frame

    async def end(self) -> dict[str, Any]:
        while self.reply.done is None:
            await self.take()
        assert self.reply.is_whole()
        return self.reply.done

    async def until_state(self, status: str) -> dict[str, Any]:
        while True:
            found = next((each for each in self.calls.values() if each["status"] == status), None)
            if found:
                return found
            await self.take()


@sync_to_async
def rows(ack: dict[str, Any]) -> tuple[list[Generation], list[ToolCall]]:
    steps = list(Generation.objects.steps_of(ack["message_id"]))
    calls = ToolCall.objects.filter(step__in=steps).order_by("step__step", "position")
    return steps, list(calls)


async def ended(page: Page, ack: dict[str, Any], status: str = "complete") -> tuple[Message, list[ToolCall]]:
    done = await page.end()
    assert done["status"] == status
    return await saved(ack, status), (await rows(ack))[1]
