"""Tests the order of service with a real Redis and the real scripts; checks counts and orders, no times."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from itertools import permutations

import pytest
import redis
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inference.wire import lease, scripts
from inference.wire import queue as fair_queue
from tests.inference.queue_driver import MODEL, claim, connect, drain, finish, queue_key, request

ESTIMATE = 600
WEIGHTS = st.sampled_from([0.25, 0.5, 1.0, 2.0, 8.0])


@pytest.fixture
def client() -> Iterator[redis.Redis]:
    with connect() as made:
        yield made


class Crowd:
    """Users of various weights who always have replies waiting, and slots that serve them."""

    def __init__(self, client: redis.Redis, weights: list[float], slots: int, seed: int) -> None:
        self.client, self.weights, self.slots = client, weights, slots
        self.random = random.Random(seed)
        self.asked = 0
        self.running: dict[str, int] = {}  # id: attempt
        self.who: dict[str, int] = {}
        self.estimates: dict[str, int] = {}
        self.used: Counter[int] = Counter()
        for user in range(len(weights)):
            self.ask(user)

    def ask(self, user: int, *, attempt: int = 1, again: str = "") -> None:
        self.asked += not again
        generation_id = again or f"g{self.asked}"
        self.who[generation_id] = user
        estimate = self.estimates.setdefault(generation_id, self.random.randint(1, ESTIMATE))
        fair_queue.submit(
            self.client,
            request(
                generation_id,
                f"u{user}",
                attempt=attempt,
                weight=self.weights[user],
                estimate=estimate,
                running_limit=self.slots,
            ),
            front=bool(again),
        )

    def serve(self) -> None:
        """Fills the slots; who was served asks again at once."""
        while len(self.running) < self.slots:
            claimed = claim(self.client)
            assert claimed is not None
            fresh = claimed.attempt == 1
            self.running[claimed.generation_id] = claimed.attempt
            if fresh:
                self.ask(self.who[claimed.generation_id])

    def end_one(self) -> None:
        """One reply ends, after any number of tokens; or its worker dies, and another goes on with it."""
        generation_id = self.random.choice(sorted(self.running))
        attempt, user = self.running.pop(generation_id), self.who[generation_id]
        if self.random.random() < 0.2:
            self.client.delete(scripts.key("lease", generation_id))
            self.ask(user, attempt=attempt + 1, again=generation_id)
            return
        used = self.random.randint(1, self.estimates[generation_id])
        assert finish(self.client, generation_id, attempt, "w", prompt=used) == "appended"
        self.used[user] += used

    def check(self) -> None:
        for i, j in permutations(range(len(self.weights)), 2):
            ahead = self.used[i] / self.weights[i] - self.used[j] / self.weights[j]
            bound = ESTIMATE / self.weights[i] + self.slots * ESTIMATE / self.weights[j]
            assert ahead <= bound + 1e-6, (i, j, self.used)


@settings(max_examples=15, derandomize=True)
@given(
    weights=st.lists(WEIGHTS, min_size=2, max_size=5),
    slots=st.integers(1, 4),
    seed=st.integers(0, 2**32),
)
def test_shares_by_weight_differ_by_the_bound_at_most(weights: list[float], slots: int, seed: int) -> None:
    with connect() as client:
        crowd = Crowd(client, weights, slots, seed)
        for _ in range(80):
            crowd.serve()
            crowd.end_one()
            crowd.check()


@settings(max_examples=15, derandomize=True)
@given(
    others=st.lists(st.tuples(WEIGHTS, st.integers(50, ESTIMATE), st.integers(1, 3)), min_size=1, max_size=8),
    weight=WEIGHTS,
    before=st.integers(0, 30),
    slots=st.integers(1, 3),
    seed=st.integers(0, 2**32),
)
def test_no_user_starves_however_many_others_submit(
    others: list[tuple[float, int, int]], weight: float, before: int, slots: int, seed: int
) -> None:
    """One who had the model alone for a while asks again among others who always have more waiting.

    Their start is at most one reply after the clock, no other's before it, and each turn of i moves i on by
    l_i / w_i: so i goes first at most 1 + (l / w) / (l_i / w_i) times.
    """
    draw = random.Random(seed)
    with connect() as client:
        for n in range(before):
            mine = request(f"alone{n}", "patient", weight=weight, estimate=ESTIMATE)
            fair_queue.submit(client, mine)
            assert claim(client) is not None
            assert finish(client, f"alone{n}", 1, "w", prompt=ESTIMATE) == "appended"
        crowd = Others(client, others)
        for _ in range(draw.randint(0, 40)):
            crowd.serve(slots, draw)
        fair_queue.submit(client, request("patience", "patient", weight=weight, estimate=ESTIMATE))
        turns = sum(1 + int(ESTIMATE * w / (weight * estimate)) for w, estimate, _ in others)
        for _ in range(turns + 1):
            if crowd.serve(slots, draw) == "patience":
                return
        raise AssertionError(f"not served within {turns} turns of the others")


class Others:
    """Users who are never without two waiting replies; weight, estimate and limit of each are given."""

    def __init__(self, client: redis.Redis, kinds: list[tuple[float, int, int]]) -> None:
        self.client, self.kinds, self.asked = client, kinds, 0
        self.running: list[str] = []
        self.who: dict[str, int] = {}
        for user in range(len(kinds)):
            self.ask(user)
            self.ask(user)

    def ask(self, user: int) -> None:
        weight, estimate, limit = self.kinds[user]
        self.asked += 1
        self.who[f"o{self.asked}"] = user
        asked = request(
            f"o{self.asked}", f"other{user}", weight=weight, estimate=estimate, running_limit=limit
        )
        fair_queue.submit(self.client, asked)

    def serve(self, slots: int, draw: random.Random) -> str:
        """One claim, after an end where no slot is free or nobody may run more; the claimed id."""
        if len(self.running) == slots:
            self.end(draw)
        while (claimed := claim(self.client)) is None:
            self.end(draw)
        if claimed.generation_id in self.who:
            self.running.append(claimed.generation_id)
            self.ask(self.who[claimed.generation_id])
        return claimed.generation_id

    def end(self, draw: random.Random) -> None:
        generation_id = self.running.pop(draw.randrange(len(self.running)))
        estimate = self.kinds[self.who[generation_id]][1]
        assert finish(self.client, generation_id, 1, "w", prompt=estimate) == "appended"


# --- single rules -----------------------------------------------------------------------------------------


@settings(max_examples=15, derandomize=True)
@given(
    asked=st.lists(st.tuples(st.integers(0, 4), st.sampled_from([64, 128, 256])), min_size=1, max_size=14),
    weights=st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=5, max_size=5),
)
@example(asked=[(0, 64), (0, 64), (0, 64), (1, 128), (1, 128)], weights=[1.0] * 5)  # equal in the midst
def test_places_are_the_order_of_the_claims(asked: list[tuple[int, int]], weights: list[float]) -> None:
    with connect() as client:
        for n, (user, estimate) in enumerate(asked):
            fair_queue.submit(
                client,
                request(
                    f"g{n}", f"u{user}", weight=weights[user], estimate=estimate, running_limit=len(asked)
                ),
            )
        predicted = fair_queue.waiting(client, MODEL)
        assert drain(client) == predicted
        assert len(predicted) == len(asked)


def test_equals_are_served_as_they_came(client: redis.Redis) -> None:
    names = ["zoe", "ann", "mia", "bob"]
    for name in names:
        fair_queue.submit(client, request(name, name, estimate=100))
    assert drain(client) == names


def test_equals_take_turns(client: redis.Redis) -> None:
    """Also where an estimate moves nobody on."""
    for name in ("ann", "bob"):
        for n in range(3):
            fair_queue.submit(client, request(f"{name}{n}", name, estimate=0, running_limit=3))
    assert drain(client) == ["ann0", "bob0", "ann1", "bob1", "ann2", "bob2"]


def test_the_limit_is_the_one_of_the_request(client: redis.Redis) -> None:
    for n in range(4):
        fair_queue.submit(client, request(f"a{n}", "ann", estimate=10, running_limit=3))
        fair_queue.submit(client, request(f"b{n}", "bob", estimate=10, running_limit=1))
    assert drain(client) == ["a0", "b0", "a1", "a2"]
    finish(client, "b0", 1, "w")
    assert drain(client) == ["b1"]
    fair_queue.submit(client, request("b4", "bob", estimate=10, running_limit=2))  # raised meanwhile
    assert drain(client) == ["b4"]


@pytest.mark.parametrize("strikes", [0, 1])
def test_recovered_replies_are_under_the_limit_too(client: redis.Redis, strikes: int) -> None:
    """Its user took the freed place before; recovered work waits for the next one, and others do not."""
    for n in range(3):
        fair_queue.submit(client, request(f"a{n}", "ann", estimate=10, running_limit=1))
    assert drain(client, "w1") == ["a0"]
    fair_queue.submit(client, request("a0", "ann", attempt=2, strikes=strikes, running_limit=1), front=True)
    assert claim(client, "w2", suspects=False) is not None
    fair_queue.submit(client, request("b0", "bob", estimate=10))
    running = "a0" if strikes == 0 else "a1"  # a suspect waits for a worker that has none
    assert drain(client, "w3") == ["b0"]
    finish(client, running, 2 if strikes == 0 else 1, "w2")
    assert drain(client, "w3") == ["a1" if strikes == 0 else "a0"]


def test_a_user_who_was_alone_for_long_has_no_debt(client: redis.Redis) -> None:
    for n in range(50):
        fair_queue.submit(client, request(f"a{n}", "ann", estimate=100))
        assert claim(client) is not None
        finish(client, f"a{n}", 1, "w", prompt=100)
    for n in range(8):
        fair_queue.submit(client, request(f"b{n}", "bob", estimate=100, running_limit=8))
    fair_queue.submit(client, request("late", "ann", estimate=100))
    assert "late" in fair_queue.waiting(client, MODEL)[:3]


def test_a_turn_that_the_limit_forbade_is_not_saved_up(client: redis.Redis) -> None:
    """Ann's weight entitles her to nearly everything, her limit to one of two slots."""
    for n in range(4):
        fair_queue.submit(client, request(f"a{n}", "ann", estimate=100, weight=100, running_limit=1))
    for n in range(30):
        fair_queue.submit(client, request(f"b{n}", "bob", estimate=100, running_limit=1))
    assert drain(client) == ["a0", "b0"]
    for n in range(29):
        finish(client, f"b{n}", 1, "w", prompt=100)
        assert drain(client) == [f"b{n + 1}"]
    for n in range(4, 40):
        fair_queue.submit(client, request(f"a{n}", "ann", estimate=100, weight=100, running_limit=8))
    fair_queue.submit(client, request("carol", "carol", estimate=100))
    assert "carol" in fair_queue.waiting(client, MODEL)[:3]


def test_a_correction_uses_the_figures_of_the_charge(client: redis.Redis) -> None:
    """The policy may have changed between two attempts of a reply."""
    fair_queue.submit(client, request("a", "ann", estimate=600, weight=1.0))
    drain(client)
    again = request("a", "ann", attempt=2, estimate=600, weight=4.0)
    fair_queue.submit(client, again, front=True)
    drain(client)
    finish(client, "a", 2, "w", prompt=60)
    assert float(client.hget(queue_key("vt"), "ann") or 0) == 60


def test_a_reply_entered_again_after_a_loss_is_charged(client: redis.Redis) -> None:
    """Else its correction would be a present: tokens given back that were never taken."""
    held = request("a", "ann", estimate=600)
    assert lease.register(client, "w", held) == ("ok", 0)
    assert lease.register(client, "w", held) == ("ok", 0)
    finish(client, "a", 1, "w", prompt=60)
    assert float(client.hget(queue_key("vt"), "ann") or 0) == 60
