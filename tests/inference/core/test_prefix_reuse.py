"""A conversation's next turn feeds only what is new, nobody else's does, and no reply is changed by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.contract import Delta, GenerationRequest, Sampling
from inference.core.kv_rows import PREFIX_SECONDS, Rows
from inference.engines.local import LocalEngine
from inference.model_dir.admission import MOST_KEPT, needed_bytes, rows_of
from inference.model_dir.describe import describe
from tests.inference.engine_fakes import BOOM, Bench, FakeStep, hashed, parrot, request
from tests.inference.listening import Listener, unexpected

DEMO = Path(__file__).resolve().parents[3] / "inference" / "demo" / "model"
WARM = Sampling(temperature=1.0)


def turn(name: str, *contents: str, user: str = "u", talk: str = "talk", **fields: Any) -> GenerationRequest:
    """A question after what was said so far: contents of user and assistant in turns."""
    messages = tuple(
        {"role": "assistant" if i % 2 else "user", "content": content} for i, content in enumerate(contents)
    )
    return request("", name, messages=messages, user_key=user, cache_key=talk, **fields)


def fed(bench: Bench) -> int:
    """Tokens that went through the model so far."""
    return sum(sum(step.sizes) for step in bench.made)


def test_the_second_turn_feeds_only_what_is_new() -> None:
    bench = Bench(parrot, slots=1)
    bench.submit(turn("a", "7 8 9 10")).drain()
    assert bench.outcome("a")[0] == (7, 8, 9, 10)
    before = fed(bench)
    bench.submit(turn("b", "7 8 9 10", "7 8 9 10", "11 12")).drain()
    assert bench.outcome("b")[0] == (11, 12)
    # The row ended with the last token of the answer unfed: fed are it, its mark, the new message with its
    # mark, and the two tokens of the answer to find its next one.
    assert bench.scheduler.metrics()["prompt_reused"] > 0
    assert bench.scheduler.metrics()["prompt_reused"] + bench.scheduler.metrics()["prompt_computed"] == 6 + 14
    assert fed(bench) - before == 14 - bench.scheduler.metrics()["prompt_reused"] + 2


@pytest.mark.parametrize(
    "second",
    [
        turn("b", "7 8 9", "7 8 9", "11", user="somebody else"),
        turn("b", "7 8 9", "7 8 9", "11", talk="another conversation"),
        turn("b", "7 8 9", "7 8 9", "11", talk=""),
    ],
    ids=["another person", "another conversation", "no conversation"],
)
def test_a_prefix_serves_no_other_user(second: GenerationRequest) -> None:
    bench = Bench(parrot, slots=1, rows=3)
    bench.submit(turn("a", "7 8 9")).drain()
    bench.submit(second).drain()
    assert bench.outcome("b")[0] == (11,)
    assert bench.scheduler.metrics()["prompt_reused"] == 0


def test_an_edited_question_reuses_the_prefix_before_it() -> None:
    bench = Bench(parrot, slots=1)
    bench.submit(turn("a", "7 8 9", "10", "11 12 13")).drain()
    bench.submit(turn("b", "7 8 9", "10", "11 14 13")).drain()
    assert bench.outcome("b")[0] == (11, 14, 13)
    assert bench.scheduler.metrics()["prompt_reused"] == 8  # up to and with 11


def test_the_same_question_again_is_fed_but_for_its_end() -> None:
    bench = Bench(parrot, slots=1)
    for name in ("a", "b"):
        bench.submit(turn(name, "7 8 9")).drain()
        assert bench.outcome(name)[0] == (7, 8, 9)
    assert bench.scheduler.metrics()["prompt_reused"] == 4  # of BOS, three tokens and the mark


def test_a_resumed_reply_continues_from_its_own_row() -> None:
    bench = Bench(parrot, slots=1)
    bench.submit(turn("a", "7 8 9 10 11 12")).turn(4)
    bench.scheduler.drop("a")
    bench.turn()
    before = fed(bench)
    bench.submit(turn("a", "7 8 9 10 11 12", attempt=2), emitted=(7, 8, 9)).drain()
    assert [event.piece.ids for event in bench.events["a"] if isinstance(event, Delta)][-3:] == [
        (10,),
        (11,),
        (12,),
    ]
    assert fed(bench) - before == 4  # the last token of the first attempt, and those of this one


def test_a_failed_step_leaves_no_prefix_in_the_cache() -> None:
    bench = Bench(parrot, slots=1, rows=2)
    bench.submit(turn("a", "7 8 9")).drain()
    bench.submit(turn("bad", f"7 {BOOM}", talk="other")).drain()
    bench.submit(turn("b", "7 8 9", "7 8 9", "11")).drain()
    assert bench.outcome("b")[0] == (11,)
    assert bench.scheduler.metrics()["prompt_reused"] == 0


def test_the_oldest_beginning_makes_room() -> None:
    bench = Bench(parrot, slots=1, rows=3)
    for talk in "vwxyz":
        bench.submit(turn(talk, "7 8 9", talk=talk)).drain()
    for talk, reused in (("v", False), ("z", True)):
        before = bench.scheduler.metrics()["prompt_reused"]
        bench.submit(turn(f"{talk}2", "7 8 9", "7 8 9", "11", talk=talk)).drain()
        assert (bench.scheduler.metrics()["prompt_reused"] > before) is reused, talk


def test_a_prefix_is_cached_for_ten_minutes() -> None:
    now = [0.0]
    rows = Rows(2, clock=lambda: now[0])
    row, _ = rows.take(("u", "talk"), [1, 7, 8])
    rows.give_back(row, ("u", "talk"), [1, 7, 8])
    now[0] = PREFIX_SECONDS - 1
    row, held = rows.take(("u", "talk"), [1, 7, 8, 9])
    assert held == 3
    rows.give_back(row, ("u", "talk"), [1, 7, 8, 9])
    now[0] = 2 * PREFIX_SECONDS
    assert rows.take(("u", "talk"), [1, 7, 8, 9, 10])[1] == 0


def test_tokens_after_a_pad_are_computed_again() -> None:
    """Token 0 is hidden from its own prompt only: the next turn would see other keys."""
    rows = Rows(1)
    row, _ = rows.take(("u", "talk"), [1, 7])
    rows.give_back(row, ("u", "talk"), [1, 7, 0, 8, 9])
    assert rows.take(("u", "talk"), [1, 7, 0, 8, 9, 10])[1] == 2


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_no_reply_is_changed_by_cached_prefixes(data: st.DataObject) -> None:
    """Conversations of several people, with edits and repeated questions, on few rows and each by itself."""
    crowd = Bench(hashed, slots=2, rows=data.draw(st.integers(2, 5)))
    histories: dict[str, list[str]] = {}
    asked: list[GenerationRequest] = []
    for i in range(data.draw(st.integers(2, 8))):
        talk = data.draw(st.sampled_from("xyz"))
        history = histories.setdefault(talk, [])
        if history and data.draw(st.booleans()):
            del history[-2:]  # asks the last question anew, or another one in its place
        content = " ".join(map(str, data.draw(st.lists(st.integers(7, 24), min_size=1, max_size=12))))
        asked.append(
            turn(f"g{i}", *history, content, user=talk, talk=talk, seed=i, sampling=WARM, max_new_tokens=8)
        )
        crowd.submit(asked[-1])
        if data.draw(st.booleans()):
            crowd.drain()
        history += [content, "7 8"]
    crowd.drain()
    for one in asked:
        alone = Bench(hashed, slots=1).submit(one).drain()
        assert crowd.outcome(one.generation_id)[:2] == alone.outcome(one.generation_id)[:2]


# -- the demo model ------------------------------------------------------------------------------------


def ask(engine: LocalEngine, heard: Listener, name: str, *contents: str) -> tuple[tuple[int, ...], str]:
    engine.submit(turn(name, *contents, max_new_tokens=40, sampling=WARM, seed=3), ())
    ids, text, _ = heard.end(name)
    return ids, text


def started(**how: int) -> tuple[LocalEngine, Listener]:
    engine = LocalEngine(DEMO, slots=1, threads=1, exit=unexpected, **how)
    heard = Listener()
    engine.start(heard)
    return engine, heard


def test_the_demo_models_second_turn_reuses_the_first() -> None:
    first = ("Hello, who are you?",)
    engine, heard = started(cache_bytes=2**25)
    _, answer = ask(engine, heard, "one", *first)
    second = (*first, answer, "And what can you do?")
    kept = ask(engine, heard, "two", *second)
    counted = engine.metrics()
    engine.stop()
    fresh, heard = started()
    alone = ask(fresh, heard, "two", *second)
    fresh.stop()
    assert kept == alone
    assert alone[1]
    assert counted["prompt_reused"] >= len(answer.split())
    assert counted["prompt_computed"] > 0


# -- how many rows -------------------------------------------------------------------------------------


def test_rows_are_what_the_budget_and_the_memory_give() -> None:
    files = describe(DEMO)
    row = needed_bytes(files, 1, packed=True) - needed_bytes(files, 0, packed=True)
    assert rows_of(files, 4, 0, packed=True) == 4
    assert rows_of(files, 4, 3 * row, packed=True) == 7
    assert rows_of(files, 4, 10_000 * row, free=2**50, packed=True) == 4 + MOST_KEPT
    tight = needed_bytes(files, 4, packed=True) + 2 * row
    assert rows_of(files, 4, 100 * row, free=tight, packed=True) == 6
    assert rows_of(files, 4, 100 * row, free=0, packed=True) == 4


def test_the_fake_step_refuses_holes() -> None:
    """These tests mean something only if it does."""
    step = FakeStep(1, 16, parrot)
    step.step([7, 8], [0, 0], [0, 1], [1, 1], [1])
    with pytest.raises(AssertionError):
        step.step([9], [0], [3], [1], [0])
