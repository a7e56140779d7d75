"""One person holds at most half of the threads, and people who wait take turns."""

from __future__ import annotations

import asyncio

import pytest

from chat.core.places import Crowded, Places

TOTAL, WAITING = 8, 6


class Room:
    """People who stay until they are told to go, in the order in which they were let in."""

    def __init__(self) -> None:
        self.places = Places(TOTAL, WAITING)
        self.inside: list[str] = []
        self._leave = asyncio.Event()

    async def come(self, who: str, times: int = 1) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self._stay(who)) for _ in range(times)]
        await self.settle()
        return tasks

    async def _stay(self, who: str) -> None:
        async with self.places.one(who):
            self.inside.append(who)
            await self._leave.wait()

    @staticmethod
    async def settle() -> None:
        for _ in range(20):
            await asyncio.sleep(0)


async def test_one_person_holds_half_and_another_gets_in_at_once() -> None:
    room = Room()
    await room.come("alice", 10)
    assert room.inside == ["alice"] * (TOTAL // 2)
    await room.come("bob", 2)
    assert room.inside.count("bob") == 2


async def test_people_who_wait_take_turns() -> None:
    room = Room()
    first = await room.come("x", 4) + await room.come("y", 4)
    await room.come("alice", 4)
    await room.come("bob", 4)
    for task in first:
        task.cancel()
        await room.settle()
    assert room.inside[8:12] == ["alice", "bob", "alice", "bob"]


async def test_more_than_may_wait_are_refused_and_the_rest_goes_on() -> None:
    room = Room()
    tasks = await room.come("alice", TOTAL // 2 + WAITING)
    (refused,) = await room.come("alice")
    with pytest.raises(Crowded):
        await refused
    for task in tasks[TOTAL // 2 :]:  # who waits gives up
        task.cancel()
    await room.settle()
    for task in tasks[: TOTAL // 2]:
        task.cancel()
    await room.settle()
    await room.come("bob", TOTAL // 2)
    await room.come("carol", TOTAL // 2)
    assert room.inside[TOTAL // 2 :] == ["bob"] * 4 + ["carol"] * 4, "no place was lost"
