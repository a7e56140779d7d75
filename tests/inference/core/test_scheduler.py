"""Continuous batching, turn by turn, on a stand-in model that refuses gaps and depends on all it was fed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.contract import Delta, Ended, ErrorCode, Reason, ReplyRule, Sampling
from inference.core.sampling import uniform
from tests.inference.engine_fakes import (
    BOOM,
    EOS,
    ID,
    NAN,
    OOM,
    VOCAB,
    Bench,
    decoded,
    hashed,
    outcome,
    parrot,
    request,
)

WARM = Sampling(temperature=1.0, top_p=0.95)


def undisturbed(asked: Any, **options: Any) -> Any:
    return Bench(hashed, **options).submit(asked).drain().outcome(asked.generation_id)


def seen(bench: Any, name: str = "a", after: int = 0) -> tuple[Any, ...]:
    """Returns what matters to the reader: ids, text, reason, error."""
    ids, text, end = bench.outcome(name, after)
    return ids, text, end.reason, end.error


def test_a_reply_is_complete_word_for_word() -> None:
    ids, text, end = Bench().submit(request([7, 8, 9])).drain().outcome()
    assert (ids, text) == ((7, 8, 9), "the cat sat.")
    assert (end.reason, end.prompt_tokens, end.fingerprint, end.seq) == (Reason.STOP, 5, "fake", 3)


def test_tokens_come_one_per_turn() -> None:
    bench = Bench().submit(request([7, 8, 9])).turn(2)
    assert [event.piece.text for event in bench.events["a"]] == ["the ", "cat "]


def test_the_limit_ends_it() -> None:
    ids, _, end = Bench().submit(request([7, 8, 9], max_new_tokens=2)).drain().outcome()
    assert (ids, end.reason) == ((7, 8), Reason.LENGTH)


def test_the_context_ends_it() -> None:
    _, _, end = Bench(hashed, context=40).submit(request([8] * 20, seed=3, sampling=WARM)).drain().outcome()
    assert (end.prompt_tokens + end.seq, end.reason) == (40, Reason.LENGTH)


def test_old_turns_are_left_out() -> None:
    messages = tuple({"role": "user", "content": "8 " * 8} for _ in range(9))
    _, _, end = Bench(context=40).submit(request(messages=messages, max_new_tokens=16)).drain().outcome()
    assert end.prompt_tokens == 1 + (
        1 + 2 * 8
    )  # the newest two, which nobody answered between, as one question


def test_too_long_is_an_event_not_an_error() -> None:
    _, _, end = Bench(context=40).submit(request([8] * 30)).drain().outcome()
    assert (end.reason, end.error) == (Reason.FAILED, ErrorCode.TOO_LONG)


# Joining and leaving --------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_alone_or_in_a_crowd_the_reply_is_the_same(data: Any) -> None:
    """Any number of neighbours, joining and leaving at any step, and any size of prefill chunk."""
    crowd = [
        request(
            data.draw(st.lists(st.integers(7, 24), min_size=1, max_size=30)),
            f"g{i}",
            seed=i,
            sampling=data.draw(st.sampled_from([Sampling(0), WARM])),
            max_new_tokens=data.draw(st.integers(1, 25)),
        )
        for i in range(7)
    ]
    bench = Bench(hashed, slots=3, prefill_chunk=data.draw(st.integers(3, 40)))
    for asked in crowd:
        bench.submit(asked).turn(data.draw(st.integers(0, 6)))
    bench.drain()
    for asked in crowd:
        assert seen(bench, asked.generation_id) == seen(
            Bench(hashed).submit(asked).drain(), asked.generation_id
        )


def test_no_more_than_the_slots_run_and_the_others_wait_their_turn() -> None:
    bench = Bench(slots=2).submit(*[request([7] * 4, f"g{i}") for i in range(5)]).turn()
    assert set(bench.events) == {"g0", "g1"}
    bench.drain()
    assert all(bench.outcome(f"g{i}")[1] == "the " * 4 for i in range(5))


def test_prefill_never_exceeds_the_chunk_and_others_keep_talking() -> None:
    bench = Bench(prefill_chunk=16).submit(request([7] * 40, "talker")).turn(4)
    bench.submit(request([8] * 90, "long")).turn(3)
    assert len(bench.events["talker"]) == 5  # 42 tokens of prompt take three turns, then one word each turn
    assert max(bench.made[0].sizes) <= 16 + 1


def test_a_short_prompt_does_not_wait_behind_a_long_one() -> None:
    bench = Bench(prefill_chunk=16).submit(request([8] * 200, "long"), request([7], "short")).turn(2)
    assert bench.outcome("short")[1] == "the "
    assert not bench.events["long"]


def test_prompts_share_the_chunk_so_that_none_starves() -> None:
    bench = Bench(prefill_chunk=16).submit(request([8] * 90, "a"), request([7] * 80, "b")).turn(3)
    assert sorted(len(fed) for fed in bench.made[0].fed.values()) == [24, 24]


# Stopping and dropping ------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", [0, 1, 3, 8])
def test_cancel_takes_one_step_wherever_it_is(turns: int) -> None:
    """0: in the inbox; 1: in the middle of its prompt; 3: at its first tokens; 8: decoding."""
    bench = Bench(prefill_chunk=16).submit(request([7] * 40)).turn(turns)
    bench.scheduler.cancel("a")
    bench.turn()
    _, text, end = bench.outcome()
    assert end.reason is Reason.STOPPED
    assert text == "the " * max(0, turns - 2)
    assert not bench.scheduler.busy


def test_a_reply_that_waits_for_a_row_can_be_cancelled() -> None:
    bench = Bench(slots=1).submit(request([7] * 9, "a"), request([7], "b")).turn(2)
    bench.scheduler.cancel("b")
    assert bench.turn().outcome("b")[2].reason is Reason.STOPPED


def test_cancel_emits_the_text_that_was_held_back() -> None:
    bench = Bench().submit(request([7, 8, ID[b"E"]] + [8] * 9, stop=("END",))).turn(3)
    bench.scheduler.cancel("a")
    assert bench.turn().outcome()[1] == "the cat E"


@pytest.mark.parametrize("turns", [0, 1, 5])
def test_drop_is_silent_and_frees_the_row(turns: int) -> None:
    bench = Bench(slots=1).submit(request([7] * 9)).turn(turns)
    before = len(bench.events["a"])
    bench.scheduler.drop("a")
    bench.submit(request([8], "b")).drain()
    assert len(bench.events["a"]) == before
    assert bench.outcome("b")[1] == "cat "


def test_a_new_attempt_replaces_a_dropped_one() -> None:
    bench = Bench().submit(request([7, 8, 9])).turn(1)
    bench.scheduler.drop("a")
    bench.submit(request([7, 8, 9], attempt=2), emitted=[7]).drain()
    assert [(e.attempt, e.piece.after) for e in bench.events["a"] if isinstance(e, Delta)] == [
        (1, 0),
        (2, 1),
        (2, 2),
    ]
    assert bench.events["a"][-1].attempt == 2


def test_unknown_ids_are_ignored() -> None:
    bench = Bench().submit(request([7]))
    bench.scheduler.cancel("nobody")
    bench.scheduler.drop("nobody")
    assert bench.drain().outcome()[1] == "the "


# Choosing -------------------------------------------------------------------------------------------------


def test_each_token_has_its_own_random_number() -> None:
    flat = np.zeros(VOCAB, np.float32)
    flat[: ID[b"the "]] = -np.inf
    asked = request([7], sampling=Sampling(1.0, top_p=1.0), seed=5, max_new_tokens=40, stop=())
    ids, *_ = Bench(lambda tokens, prompt: flat).submit(asked).drain().outcome()
    count = VOCAB - ID[b"the "]
    assert list(ids) == [ID[b"the "] + int(uniform(5, i) * count) for i in range(40)]


# Resuming -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", [Sampling(0), WARM, Sampling(1.3, top_k=8, top_p=1.0, min_p=0.02)])
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_a_resume_at_every_cut_equals_the_undisturbed_run(sampling: Any, data: Any) -> None:
    asked = request(
        data.draw(st.lists(st.integers(7, 24), min_size=1, max_size=20)),
        seed=data.draw(st.integers(0, 2**63 - 1)),
        sampling=sampling,
        max_new_tokens=data.draw(st.integers(1, 30)),
        stop=tuple(data.draw(st.lists(st.sampled_from(["END", "\nHu", "the cat"]), max_size=2))),
        rules=data.draw(st.sampled_from([(), (ReplyRule("r", r"secret|cat sat"),)])),
        hold_back=data.draw(st.integers(0, 9)),
    )
    bench = Bench(hashed).submit(asked).drain()
    ids, text, reason, error = seen(bench)
    log = [event for event in bench.events["a"] if isinstance(event, Delta)]
    for cut in range(len(log) + 1):
        after = log[cut - 1].piece.seq if cut else 0
        again = Bench(hashed, prefill_chunk=5).submit(asked, emitted=ids[:after]).drain()
        shown = "".join(delta.piece.text for delta in log[:cut])
        more, rest, *end = seen(again, after=after)
        assert (ids[:after] + more, shown + rest, *end) == (ids, text, reason, error)


PENALISED = Sampling(temperature=1.0, repetition=1.3, presence=0.4, frequency=0.3)


def test_penalties_and_scores_survive_a_resume_and_a_crowd() -> None:
    asked = request([7, 8, 9], sampling=PENALISED, max_new_tokens=24, logprobs=3, seed=1)
    whole = Bench(hashed).submit(asked).drain()
    ids = whole.outcome()[0]
    scored = [score for event in whole.events["a"][:-1] for score in event.piece.scores]
    assert len(scored) == len(ids) > 6
    for token, score in zip(ids, scored, strict=True):
        assert len(score.top) == 3
        assert score.logprob <= score.top[0][1] <= 0
        assert dict(score.top).get(token, score.logprob) == score.logprob
    crowd = Bench(hashed, slots=3)
    crowd.submit(request([9, 9], "x", sampling=PENALISED), request([10], "y"), asked).drain()
    assert crowd.outcome()[0] == ids
    for cut in (1, 5, len(ids) - 1):
        again = Bench(hashed).submit(asked, emitted=ids[:cut]).drain()
        assert ids[:cut] + again.outcome(after=cut)[0] == ids
        later = [score for event in again.events["a"][:-1] for score in event.piece.scores]
        assert later == scored[cut:]


def test_a_request_without_logprobs_gets_no_scores() -> None:
    bench = Bench(hashed).submit(request([7, 8, 9])).drain()
    assert all(event.piece.scores == () for event in bench.events["a"][:-1])


def test_a_resume_after_the_last_token_only_ends() -> None:
    bench = Bench().submit(request([7, 8, 9], max_new_tokens=2), emitted=[7, 8]).drain()
    assert bench.outcome(after=2)[:2] == ((), "")
    assert bench.outcome(after=2)[2].reason is Reason.LENGTH
    assert not bench.made  # without a step


def test_ids_of_another_vocabulary_fail_that_request_alone() -> None:
    bench = Bench().submit(request([7], "b")).submit(request([7]), emitted=[999]).drain()
    assert bench.outcome(after=1)[2].error == ErrorCode.ENGINE
    assert bench.outcome("b")[1] == "the "


# Text -----------------------------------------------------------------------------------------------------


def test_ids_decode_exactly_to_the_text() -> None:
    for seed in range(10):
        ids, text, _ = undisturbed(request([8], seed=seed, sampling=WARM, max_new_tokens=50))
        assert decoded(ids).rstrip("\ufffd") == text.rstrip("\ufffd")


def test_stop_strings_of_the_model_and_of_the_request() -> None:
    spoken = [7, ID[b"\n"], ID[b"Hu"], ID[b"man:"], 8]
    assert seen(Bench(stop_strings=["\nHuman:"]).submit(request(spoken)).drain())[1:3] == (
        "the ",
        Reason.STOP,
    )
    assert seen(Bench().submit(request(spoken, stop=("uma",))).drain())[1:3] == ("the \n", Reason.STOP)


def test_a_reply_rule_ends_it() -> None:
    rule = ReplyRule("no-secrets", "secret word")
    bench = Bench().submit(request([7, 8, 23, 24, 8, 8], rules=(rule,), hold_back=11)).drain()
    ids, text, reason, error = seen(bench)
    assert (reason, error) == (Reason.REFUSED, "no-secrets")
    assert "s" not in text


def test_an_unreadable_rule_fails_the_request_instead_of_passing() -> None:
    bench = Bench().submit(request(rules=(ReplyRule("bad", "("),)), request([7], "b")).drain()
    assert bench.outcome()[2].error == ErrorCode.ENGINE
    assert bench.outcome("b")[1] == "the "


def test_the_end_of_turn_token_is_neither_shown_nor_counted() -> None:
    ids, _, end = Bench().submit(request([7, 8])).drain().outcome()
    assert EOS not in ids
    assert end.seq == 2


# Faults ---------------------------------------------------------------------------------------------------


def test_not_a_number_fails_only_that_request() -> None:
    bench = Bench().submit(request([7] * 6, "b")).turn(2).submit(request([NAN])).drain()
    assert bench.outcome()[2].error == ErrorCode.NAN
    assert bench.outcome("b")[1] == "the " * 6


def test_a_row_that_saw_nan_gets_a_new_cache() -> None:
    bench = Bench(slots=1).submit(request([NAN]), request([7, 8], "b")).drain()
    assert len(bench.made) == 2
    assert bench.outcome("b")[1] == "the cat "


@pytest.mark.parametrize(("token", "code"), [(BOOM, ErrorCode.ENGINE), (OOM, ErrorCode.OUT_OF_MEMORY)])
def test_an_exception_fails_only_its_own_request(token: Any, code: Any) -> None:
    bench = Bench(slots=3).submit(request([7] * 4, "b")).turn(2)
    bench.submit(request([token]), request([8, 8], "c"), request([9], "later")).drain()
    assert bench.outcome()[2].error == code
    assert [bench.outcome(name)[1] for name in ("b", "c", "later")] == ["the " * 4, "cat cat ", "sat."]
    assert len(bench.made) == 3  # the cache was built anew, after the shared failure and after the lone one


def test_replies_in_a_failed_step_equal_the_undisturbed_ones() -> None:
    asked = [request([7, 8, n], f"g{n}", seed=n, sampling=WARM, max_new_tokens=9) for n in (9, 22, 24)]
    alone = [Bench(hashed).submit(one).drain().outcome(one.generation_id)[:2] for one in asked]
    bench = Bench(hashed, slots=4, prefill_chunk=4).submit(*asked).turn(3)
    bench.submit(request([8, BOOM])).drain()
    assert [bench.outcome(one.generation_id)[:2] for one in asked] == alone


def test_several_at_fault_in_one_step() -> None:
    bench = Bench(slots=4).submit(request([BOOM]), request([OOM], "b"), request([7] * 3, "c")).drain()
    assert [bench.outcome(name)[2].error for name in "ab"] == [ErrorCode.ENGINE, ErrorCode.OUT_OF_MEMORY]
    assert bench.outcome("c")[1] == "the " * 3
    assert not bench.scheduler.has_failed


def test_a_step_that_fails_only_for_several_comes_to_an_end() -> None:
    bench = Bench(slots=2)
    make = bench.scheduler._make_step

    class Small:
        """Has memory for one row."""

        def __init__(self) -> None:
            self.whole = make()

        def step(self, ids: Any, row: Any, pos: Any, hide_pad: Any, out_at: Any) -> Any:
            if len(set(row)) > 1:
                raise MemoryError
            return self.whole.step(ids, row, pos, hide_pad, out_at)

    bench.scheduler._make_step = Small
    bench.submit(request([7] * 9), request([8] * 9, "b")).drain()
    for name, word in (("a", "the "), ("b", "cat ")):
        _, text, end = bench.outcome(name)
        assert end.error == ErrorCode.OUT_OF_MEMORY
        assert text == word * 2  # one each after the first and the second failure


def test_a_prompt_that_was_not_in_the_failed_step_is_fed_again() -> None:
    bench = Bench(slots=3, prefill_chunk=3).submit(request([8] * 30, "long")).turn(3)
    bench.submit(*[request([BOOM, 8, 8, 8, 8], name) for name in "ab"])
    bench.scheduler._plan = leave_out(bench.scheduler, "long")
    bench.turn(2)
    del bench.scheduler._plan
    assert bench.drain().outcome("long")[1] == "cat " * 30


def leave_out(scheduler: Any, name: str) -> Callable[..., Any]:
    whole = type(scheduler)._plan
    return lambda: [(work, n) for work, n in whole(scheduler) if work.request.generation_id != name]


def test_failures_in_a_row_end_the_engine_and_a_good_step_resets_them() -> None:
    bench = Bench(slots=1)
    for _ in range(2):
        bench.submit(request([BOOM])).turn()
    assert not bench.scheduler.has_failed
    bench.submit(request([7], "b")).drain()
    for _ in range(3):
        assert not bench.scheduler.has_failed
        bench.submit(request([BOOM])).turn()
    assert bench.scheduler.has_failed


def test_a_cache_that_cannot_be_built_again_is_a_failing_step() -> None:
    bench = Bench()

    def no_memory() -> None:
        raise MemoryError

    bench.scheduler._make_step = no_memory
    bench.submit(request([7])).turn()
    assert bench.outcome()[2].error == ErrorCode.OUT_OF_MEMORY


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_request_ends_exactly_once_whatever_happens(data: Any) -> None:
    bench = Bench(hashed, slots=3, prefill_chunk=8)
    dropped, names = set(), []
    for i in range(data.draw(st.integers(1, 12))):
        do = data.draw(st.sampled_from(["submit", "submit", "fault", "cancel", "drop", "turn"]))
        if do in ("submit", "fault"):
            content = data.draw(st.lists(st.integers(7, 24), min_size=1, max_size=20))
            fault = [data.draw(st.sampled_from([NAN, BOOM, OOM]))] if do == "fault" else []
            names.append(f"g{i}")
            bench.submit(request(content + fault, names[-1], seed=i, sampling=WARM, max_new_tokens=9))
        elif do == "turn":
            bench.turn(data.draw(st.integers(1, 5)))
        elif names:
            name = data.draw(st.sampled_from(names))
            getattr(bench.scheduler, do)(name)
            dropped |= {name} if do == "drop" else set()
    bench.drain()
    for name in names:
        ends = [event for event in bench.events[name] if isinstance(event, Ended)]
        if name not in dropped:
            outcome(bench.events[name])
        assert len(ends) <= 1
    assert len(bench.scheduler._rows) == 3


def test_the_step_counter_moves() -> None:
    bench = Bench(parrot).submit(request([7, 8]))
    assert bench.scheduler.busy
    before = bench.scheduler.steps
    bench.turn()
    assert bench.scheduler.steps == before + 1
