"""The queue's scripts walked at random, on a real Redis: nobody lost, nobody twice, whatever dies when.

People submit and stop, workers claim, write, renew, hand over, end, sleep beyond their leases, die; recovery
submits the next attempt. A plain model of what must be true stands beside Redis. There is no time here:
a lease runs out when a rule says so. (With rows, messages and data loss: tests/chat/turns/test_machine.py.)
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from inference.contract import GenerationRequest, Reason
from inference.wire import lease, log, scripts
from inference.wire import queue as fair_queue
from tests.inference.queue_driver import (
    MODEL,
    able_to_write,
    announce,
    claim,
    connect,
    finish,
    leftovers,
    queue_key,
    request,
    write,
)

TALKS = ("", "one", "two")  # conversations of each user; the first is one that no cache holds
USERS = {"ann": (1.0, 1), "bob": (0.5, 2), "cas": (4.0, 2)}  # weight, limit
LISTS = ("front", "suspects", *(f"of:{user}" for user in USERS))


@dataclass
class Reply:
    """The expected state of one reply."""

    user: str
    attempt: int = 1
    talk: str = ""
    strikes: int = 0
    state: str = "q"
    worker: str = ""
    stop: bool = False
    entered: bool = False  # runs because its worker said so (rule 9), not by a claim
    seq: int = 0  # tokens in its log
    ends: int = 0  # how often a worker was answered that it wrote the end
    beliefs: set[tuple[int, str]] = field(default_factory=set)  # (attempt, worker) that think they have it


@dataclass(frozen=True)
class Picture:
    """The queue in Redis between two steps."""

    lists: dict[str, list[str]]
    held: list[str]
    ids: set[str]
    run: dict[str, int]
    vt: dict[str, float]
    since: set[str]
    waiting: dict[str, float]
    clock: float
    leases: set[str]


class Walk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.client = connect()
        self.replies: dict[str, Reply] = {}
        self.workers = ["w1", "w2"]
        self.dead: set[str] = set()
        self.clock = 0.0
        self.left = 0  # claims that left a reply to the worker that holds its conversation

    @initialize()
    def a_busy_queue(self) -> None:
        """Faults need something to hit."""
        for worker in self.workers:
            announce(self.client, worker)
        for user in ("bob", "ann", "bob", "bob", "cas"):
            self.submit(user, 100)
        for worker in self.workers:
            self.claims(self.workers.index(worker), suspects=True, times=2)

    def request(self, key: str, estimate: int = 100) -> GenerationRequest:
        reply = self.replies[key]
        weight, limit = USERS[reply.user]
        return request(
            key,
            reply.user,
            cache_key=reply.talk,
            attempt=reply.attempt,
            strikes=reply.strikes,
            weight=weight,
            running_limit=limit,
            estimate=estimate,
        )

    def those(self, *states: str) -> list[str]:
        return [key for key, reply in self.replies.items() if reply.state in states]

    def running_of(self, user: str) -> int:
        return sum(r.state == "r" and r.user == user for r in self.replies.values())

    def ended(self, key: str) -> None:
        reply = self.replies[key]
        reply.ends += 1
        reply.state, reply.worker = "e", ""

    # --- people -------------------------------------------------------------------------------------------

    @rule(
        user=st.sampled_from(sorted(USERS)),
        estimate=st.sampled_from([0, 30, 100, 900]),
        talk=st.sampled_from(TALKS),
    )
    def submit(self, user: str, estimate: int, talk: str = "one") -> None:
        key = f"g{len(self.replies)}"
        self.replies[key] = Reply(user, talk=talk)
        assert fair_queue.submit(self.client, self.request(key, estimate)) == "queued"

    @precondition(lambda self: self.replies)
    @rule(pick=st.integers(0, 30))
    def submit_the_same_again(self, pick: int) -> None:
        key = list(self.replies)[pick % len(self.replies)]
        answer = fair_queue.submit(self.client, self.request(key))
        assert answer == ("ended" if self.replies[key].state in "es" else "known")

    @precondition(lambda self: self.replies)
    @rule(pick=st.integers(0, 30))
    def stop(self, pick: int) -> None:
        key = list(self.replies)[pick % len(self.replies)]
        reply, answer = self.replies[key], fair_queue.stop(self.client, key)
        assert answer == {"q": "ended", "r": "flagged", "e": "already", "s": "already"}[reply.state]
        if answer == "ended":
            self.ended(key)
        reply.stop = reply.stop or answer == "flagged"

    # --- workers ------------------------------------------------------------------------------------------

    @rule(worker=st.integers(0, 5), suspects=st.booleans(), times=st.integers(1, 3))
    def claims(self, worker: int, suspects: bool, times: int) -> None:
        name = self.workers[worker % len(self.workers)]
        for _ in range(times):
            self.claim_one(name, suspects=suspects)

    def claim_one(self, name: str, *, suspects: bool) -> bool:
        claimed = fair_queue.claim(self.client, MODEL, name, suspects=suspects)
        if claimed == "elsewhere":
            self.left += 1
            assert self.left <= len(self.replies), "a reply was left to its holder twice"
            assert self.claimable(suspects=suspects)
            return self.claim_one(name, suspects=suspects)
        if claimed is None:
            assert not self.claimable(suspects=suspects), "somebody could have run"
            return False
        reply = self.replies[claimed.generation_id]
        assert (reply.state, reply.attempt) == ("q", claimed.attempt)
        if claimed.request is None:
            assert reply.stop
            self.ended(claimed.generation_id)
        else:
            assert not reply.stop
            assert suspects or reply.strikes == 0
            reply.state, reply.worker, reply.entered = "r", name, False
            reply.beliefs.add((reply.attempt, name))
        return True

    def claimable(self, *, suspects: bool) -> list[str]:
        return [
            key
            for key in self.those("q")
            if (suspects or self.replies[key].strikes == 0)
            and self.running_of(self.replies[key].user) < USERS[self.replies[key].user][1]
        ]

    def believed(self, pick: int) -> tuple[str, int, str] | None:
        """One (id, attempt, worker) of those that living workers think they have, rightly or not."""
        found = [
            (key, attempt, worker)
            for key, reply in self.replies.items()
            for attempt, worker in sorted(reply.beliefs)
            if worker not in self.dead
        ]
        return found[pick % len(found)] if found else None

    def rightly(self, key: str, attempt: int, worker: str) -> bool:
        reply = self.replies[key]
        return (reply.state, reply.attempt, reply.worker) == ("r", attempt, worker)

    @rule(pick=st.integers(0, 30), tokens=st.integers(1, 3))
    def writes(self, pick: int, tokens: int) -> None:
        if (holder := self.believed(pick)) is None:
            return
        reply = self.replies[holder[0]]
        at = reply.seq
        answer = write(self.client, *holder, at, at + tokens)
        if self.rightly(*holder):
            assert answer == "appended"
            assert write(self.client, *holder, at, at + tokens) == "already_there"
            reply.seq += tokens
        else:
            assert answer in {"stale", "missing"}
            self.lets_go_or_enters_again(holder)

    @rule(pick=st.integers(0, 30), prompt=st.sampled_from([0, 5, 2000]))
    def ends(self, pick: int, prompt: int) -> None:
        if (holder := self.believed(pick)) is None:
            return
        answer = finish(self.client, *holder, seq=self.replies[holder[0]].seq, prompt=prompt)
        if self.rightly(*holder):
            assert answer == "appended"
            self.ended(holder[0])
            assert finish(self.client, *holder, seq=self.replies[holder[0]].seq) == "already_there"
        else:
            assert answer in {"stale", "missing", "already_there"}
            self.lets_go_or_enters_again(holder)

    def lets_go_or_enters_again(self, holder: tuple[str, int, str]) -> None:
        """A worker that is not known to have a reply asks, and drops a reply that it may not have."""
        key, attempt, worker = holder
        reply = self.replies[key]
        weight, limit = USERS[reply.user]
        asked = request(key, reply.user, attempt=attempt, weight=weight, running_limit=limit, estimate=50)
        leased = lease.states(self.client, [key])[0].leased
        code, _ = lease.register(self.client, worker, asked)
        if reply.state in "es" or reply.attempt > attempt or leased:
            assert code in {"stale", "ended"}, "taken from another"
            reply.beliefs.discard((attempt, worker))
        else:
            assert code == "ok"
            reply.state, reply.worker, reply.entered = "r", worker, True

    @rule(worker=st.integers(0, 5))
    def renews(self, worker: int) -> None:
        name = self.workers[worker % len(self.workers)]
        held = [(key, a) for key, r in self.replies.items() for a, w in sorted(r.beliefs) if w == name]
        for (key, attempt), renewal in zip(held, lease.renew(self.client, name, held), strict=True):
            reply = self.replies[key]
            if self.rightly(key, attempt, name):
                assert (renewal.code, renewal.stop) == ("ok", reply.stop)
            elif reply.attempt > attempt:
                assert renewal.code == "stale"
                reply.beliefs.discard((attempt, name))

    @rule(pick=st.integers(0, 30), informed=st.booleans())
    def hands_over(self, pick: int, informed: bool) -> None:
        """A worker that is not informed (its connection broke) continues to hold the reply."""
        if (holder := self.believed(pick)) is None:
            return
        key, attempt, worker = holder
        rightly = self.rightly(*holder)
        assert fair_queue.release(self.client, key, attempt, worker) is rightly
        if informed:
            self.replies[key].beliefs.discard((attempt, worker))
        if rightly:
            self.replies[key].state, self.replies[key].worker = "q", ""

    # --- faults and recovery ------------------------------------------------------------------------------

    @rule(worker=st.integers(0, 5), dies=st.booleans())
    def falls_silent(self, worker: int, dies: bool) -> None:
        """Killed, or asleep for longer than a lease: then it wakes and believes to have what it had."""
        name = self.workers[worker % len(self.workers)]
        for key, reply in self.replies.items():
            if reply.state == "r" and reply.worker == name:
                self.client.delete(scripts.key("lease", key))
        if dies:
            self.workers.remove(name)
            self.dead.add(name)
            self.workers.append(f"w{len(self.workers) + len(self.dead) + 1}")
            announce(self.client, self.workers[-1])  # a heartbeat outlives its worker

    @rule(strikes=st.integers(0, 1), front=st.booleans(), pick=st.integers(0, 30))
    def recovers(self, strikes: int, front: bool, pick: int) -> None:
        """One whose lease is gone gets its next attempt; it may be one whose worker only slept."""
        running = self.those("r")
        leases = dict(zip(running, lease.states(self.client, running), strict=True))
        lost = [key for key in running if not leases[key].leased]
        if lost:
            self.next_attempt(lost[pick % len(lost)], strikes, front=front)

    def next_attempt(self, key: str, strikes: int, *, front: bool) -> None:
        reply = self.replies[key]
        reply.attempt, reply.strikes = reply.attempt + 1, reply.strikes + strikes
        assert fair_queue.submit(self.client, self.request(key), front=front) == "queued"
        reply.state, reply.worker = "q", ""

    @precondition(lambda self: self.replies)
    @rule(pick=st.integers(0, 30), older=st.booleans())
    def gives_up(self, pick: int, older: bool) -> None:
        """Reconcile's end: two strikes, a stop without a worker, nobody runs the model."""
        key = list(self.replies)[pick % len(self.replies)]
        reply = self.replies[key]
        answer = log.end(self.client, key, reply.attempt - older, Reason.FAILED)
        if reply.state in "es":
            assert answer == "already_there"
        else:
            assert answer == ("stale" if older else "appended")
            if not older:
                self.ended(key)

    @rule(pick=st.integers(0, 30))
    def settles(self, pick: int) -> None:
        if ended := self.those("e"):
            key = ended[pick % len(ended)]
            fair_queue.settled(self.client, key)
            self.replies[key].state = "s"

    # --- what must always hold ----------------------------------------------------------------------------

    @invariant()
    def all_is_well(self) -> None:
        picture = self.picture()
        self.nobody_is_lost_and_nobody_twice(picture)
        self.counters_agree(picture)
        assert picture.clock >= self.clock, "the clock went back"
        self.clock = picture.clock
        self.one_at_most_can_write()

    def picture(self) -> Picture:
        """The queue's keys at once: a walk looks after each step."""
        with self.client.pipeline() as pipe:
            for name in LISTS:
                pipe.lrange(queue_key(name), 0, -1)
            for worker in (*self.workers, *self.dead):
                pipe.smembers(scripts.key("held", worker))
            pipe.smembers(queue_key("ids"))
            for name in ("run", "vt", "since"):
                pipe.hgetall(queue_key(name))
            pipe.zrange(queue_key("waiting"), 0, -1, withscores=True)
            pipe.get(queue_key("clock"))
            pipe.keys(scripts.key("lease", "*"))
            answers = pipe.execute()
        lists, held = answers[: len(LISTS)], answers[len(LISTS) : -7]
        ids, run, vt, since, waiting, clock, leases = answers[-7:]
        return Picture(
            lists=dict(zip(LISTS, lists, strict=True)),
            held=[key for keys in held for key in keys],
            ids=ids,
            run={user: int(n) for user, n in run.items()},
            vt={user: float(number) for user, number in vt.items()},
            since=set(since),
            waiting=dict(waiting),
            clock=float(clock or 0),
            leases={key.rpartition(":")[2] for key in leases},
        )

    def nobody_is_lost_and_nobody_twice(self, picture: Picture) -> None:
        waits, runs = self.those("q"), self.those("r")
        assert Counter(key for keys in picture.lists.values() for key in keys) == Counter(waits)
        assert Counter(picture.held) == Counter(runs)
        assert picture.ids == {*waits, *runs}
        assert picture.leases <= set(runs)
        assert Counter(fair_queue.waiting(self.client, MODEL)) == Counter(waits)

    def counters_agree(self, picture: Picture) -> None:
        running = Counter(self.replies[key].user for key in self.those("r"))
        assert picture.run == dict(running)
        claimed = Counter(self.replies[key].user for key in self.those("r") if not self.replies[key].entered)
        assert all(n <= USERS[user][1] for user, n in claimed.items()), "more than the limit"
        waiting = {user for user in USERS if picture.lists[f"of:{user}"]}
        assert picture.waiting == {user: picture.vt.get(user, 0.0) for user in waiting}
        assert picture.since == waiting

    def one_at_most_can_write(self) -> None:
        """Whoever tries, at whatever attempt: the log takes tokens from the one holder of a running reply."""
        holders = [
            (key, attempt, name)
            for key in self.those("q", "r")
            for attempt in range(1, self.replies[key].attempt + 1)
            for name in (*self.workers, *self.dead)
        ]
        lengths = {key: self.replies[key].seq for key in self.those("q", "r")}
        able = able_to_write(self.client, holders, lengths)
        assert able == [holder for holder in holders if self.rightly(*holder)]

    # --- the end ------------------------------------------------------------------------------------------

    def teardown(self) -> None:
        try:
            self.drain()
            for key, reply in self.replies.items():
                self.check_log(key)
                assert (reply.ends, reply.state) == (1, "s"), key
            assert leftovers(self.client) == []
        finally:
            self.client.close()

    def drain(self) -> None:
        """Every old worker dies; a new one does what is left."""
        for key in self.those("r"):
            self.client.delete(scripts.key("lease", key))
            self.next_attempt(key, 0, front=True)
        self.dead.update(self.workers)
        self.workers = ["last"]
        while self.those("q", "r"):
            while self.claim_one("last", suspects=True):
                pass
            for key in self.those("r"):
                reply = self.replies[key]
                assert finish(self.client, key, reply.attempt, "last", reply.seq) == "appended"
                self.ended(key)
        for key in self.those("e"):
            fair_queue.settled(self.client, key)
            self.replies[key].state = "s"

    def check_log(self, key: str) -> None:
        """One end, and every token before it once."""
        entries = self.client.xrange(log.key(key))
        written = log.read(self.client, key)
        assert written.seq == self.replies[key].seq
        assert len(entries) == len(written.pieces) + 1
        assert "end" in entries[-1][1]
        assert [piece.after for piece in written.pieces] == [0, *(p.seq for p in written.pieces)][:-1]


def test_no_reply_is_lost_or_doubled_whatever_dies() -> None:
    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=40,
            stateful_step_count=40,
            # Shrinking takes minutes with a real Redis.
            phases=[phase for phase in Phase if phase is not Phase.shrink],
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )


# --- two fences that walks seldom meet --------------------------------------------------------------------


def test_a_handed_over_reply_stays_with_its_new_holder(redis_client: redis.Redis) -> None:
    """The worker that handed it over never heard that it worked, and goes on."""
    asked = request("g", "ann")
    fair_queue.submit(redis_client, asked)
    claim(redis_client, "w1")
    assert fair_queue.release(redis_client, "g", 1, "w1")
    claim(redis_client, "w2")
    assert write(redis_client, "g", 1, "w1", 0, 1) == "missing"
    assert lease.register(redis_client, "w1", asked) == ("stale", 0)
    assert write(redis_client, "g", 1, "w2", 0, 1) == "appended"
    redis_client.delete(scripts.key("lease", "g"))  # now nobody is known to have it: the first that says so
    assert lease.register(redis_client, "w1", asked) == ("ok", 1)
    assert write(redis_client, "g", 1, "w2", 1, 2) == "missing"
    assert lease.register(redis_client, "w2", asked) == ("stale", 1)


def test_renewing_tells_a_worker_that_it_is_fenced_off(redis_client: redis.Redis) -> None:
    fair_queue.submit(redis_client, request("g", "ann"))
    claim(redis_client, "w1")
    fair_queue.submit(redis_client, request("g", "ann", attempt=2), front=True)
    assert [renewal.code for renewal in lease.renew(redis_client, "w1", [("g", 1)])] == ["stale"]
    claim(redis_client, "w2")
    assert [renewal.code for renewal in lease.renew(redis_client, "w1", [("g", 1)])] == ["stale"]
    assert [renewal.code for renewal in lease.renew(redis_client, "w2", [("g", 2)])] == ["ok"]
