"""One user holds at most half of the threads, and users who wait take turns."""

from __future__ import annotations

import asyncio

import pytest

from chat.core.fair_semaphore import FairSemaphore, QueueIsFull

TOTAL, WAITING = 8, 6


class Requests:
    """Requests that hold a slot until they are cancelled; `running` is the order in which they began."""

    def __init__(self) -> None:
        self.semaphore = FairSemaphore(TOTAL, WAITING)
        self.running: list[str] = []
        self._end = asyncio.Event()

    async def start(self, who: str, times: int = 1) -> list[asyncio.Task[None]]:
        tasks = [asyncio.create_task(self._hold(who)) for _ in range(times)]
        await self.settle()
        return tasks

    async def _hold(self, who: str) -> None:
        async with self.semaphore.hold(who):
            self.running.append(who)
            await self._end.wait()

    @staticmethod
    async def settle() -> None:
        for _ in range(20):
            await asyncio.sleep(0)


async def test_one_user_holds_half_and_another_runs_at_once() -> None:
    requests = Requests()
    await requests.start("alice", 10)
    assert requests.running == ["alice"] * (TOTAL // 2)
    await requests.start("bob", 2)
    assert requests.running.count("bob") == 2


async def test_waiting_users_take_turns() -> None:
    requests = Requests()
    first = await requests.start("x", 4) + await requests.start("y", 4)
    await requests.start("alice", 4)
    await requests.start("bob", 4)
    for task in first:
        task.cancel()
        await requests.settle()
    assert requests.running[8:12] == ["alice", "bob", "alice", "bob"]


async def test_a_full_queue_refuses_and_the_others_run() -> None:
    requests = Requests()
    tasks = await requests.start("alice", TOTAL // 2 + WAITING)
    (refused,) = await requests.start("alice")
    with pytest.raises(QueueIsFull):
        await refused
    for task in tasks[TOTAL // 2 :]:  # those that wait give up
        task.cancel()
    await requests.settle()
    for task in tasks[: TOTAL // 2]:
        task.cancel()
    await requests.settle()
    await requests.start("bob", TOTAL // 2)
    await requests.start("carol", TOTAL // 2)
    assert requests.running[TOTAL // 2 :] == ["bob"] * 4 + ["carol"] * 4, "no slot was lost"
