"""The engine's thread, and the promises every engine keeps, through base.Engine's methods alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.base import exit_status
from inference.contract import Ended, ErrorCode, Reason
from inference.core.inbox import Inbox
from inference.core.scheduler import Scheduler
from inference.engines import batching, describe_model, engine_for, load_engine
from inference.engines.batching import BatchingEngine
from inference.engines.scripted import ScriptedEngine
from tests.inference.engine_fakes import BOOM, VOCAB, FakeStep, FakeTokenizer, parrot, request
from tests.inference.listening import SOON, Listener, unexpected


def unhurried(tokens: int, prompt: int) -> Any:
    """A parrot that takes over a second for a long message, so that a test can step in."""
    time.sleep(0.01 if prompt > 100 else 0)
    return parrot(tokens, prompt)


def fake_engine(answer: Any = unhurried, *, slots: int = 2, exit: Any = None) -> BatchingEngine:
    scheduler = Scheduler(
        lambda: FakeStep(slots, 256, answer),
        FakeTokenizer(),
        slots=slots,
        context=256,
        vocab_size=VOCAB,
        fingerprint="fake",
    )
    return BatchingEngine(scheduler, slug="fake", name="Fake", context=256, exit=exit or unexpected)


ENGINES = {
    "batching": (fake_engine, "7 8 9"),
    "scripted": (lambda slots=2: ScriptedEngine(slots=slots, exit=unexpected), "slow:3:1"),
}


@pytest.fixture(params=ENGINES)
def kind(request: pytest.FixtureRequest) -> Any:
    return ENGINES[request.param]


@pytest.fixture
def started() -> Iterator[Any]:
    """Start engines; all are stopped at the end."""
    engines = []

    def start(engine: Any) -> tuple[Any, ...]:
        listener = Listener()
        engine.start(listener)
        engines.append(engine)
        return engine, listener

    yield start
    for engine in engines:
        engine.stop()


def test_every_engine_describes_itself(kind: Any) -> None:
    engine = kind[0](slots=3)
    assert engine.slug.islower()
    assert engine.name
    assert engine.fingerprint
    assert (engine.slots, engine.context >= 256, engine.busy) == (3, True, False)


def test_a_reply_comes_from_the_engines_own_thread(kind: Any, started: Any) -> None:
    engine, heard = started(kind[0]())
    engine.submit(request(kind[1]), ())
    ids, text, end = heard.end()
    assert len(ids) == end.seq == 3
    assert (end.reason, end.fingerprint, end.attempt) == (Reason.STOP, engine.fingerprint, 1)
    assert len(text.split()) == 3
    assert heard.threads == {f"engine-{engine.slug}"}
    assert engine.steps > 0


def test_a_resumed_reply_is_the_undisturbed_one(kind: Any, started: Any) -> None:
    engine, heard = started(kind[0]())
    engine.submit(request(kind[1], "whole"), ())
    ids, text, end = heard.end("whole")
    deltas = heard.events["whole"][:-1]
    for cut in range(len(deltas) + 1):
        after = deltas[cut - 1].piece.seq if cut else 0
        name = f"cut{cut}"
        engine.submit(request(kind[1], name, attempt=2), ids[:after])
        more, rest, again = heard.end(name, after)
        assert (ids[:after] + more, "".join(d.piece.text for d in deltas[:cut]) + rest) == (ids, text)
        assert (again.reason, again.attempt) == (end.reason, 2)


def times_woken(name: str) -> int:
    """Counts how often the thread of this name gave the processor up, voluntarily or not."""
    thread = next(each for each in threading.enumerate() if each.name == name)
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    return sum(int(line.split()[1]) for line in status.splitlines() if "ctxt_switches" in line)


def test_an_idle_engine_sleeps_and_wakes(kind: Any, started: Any) -> None:
    engine, heard = started(kind[0]())
    engine.submit(request(kind[1]), ())
    heard.end()
    deadline = time.monotonic() + SOON
    while engine.busy and time.monotonic() < deadline:
        time.sleep(0.001)
    before, woken = engine.steps, times_woken(f"engine-{engine.slug}")
    time.sleep(0.05)
    assert engine.steps - before <= 1
    assert times_woken(f"engine-{engine.slug}") - woken <= 2
    engine.submit(request(kind[1], "b"), ())
    assert heard.end("b")[2].reason is Reason.STOP


def test_more_requests_than_slots_from_many_threads_are_all_answered(kind: Any, started: Any) -> None:
    engine, heard = started(kind[0]())
    askers = [
        threading.Thread(
            target=lambda i=i: [engine.submit(request(kind[1], f"g{i}-{j}"), ()) for j in range(5)]
        )
        for i in range(6)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    ends = [heard.end(f"g{i}-{j}") for i in range(6) for j in range(5)]
    assert {(ids, text, end.reason) for ids, text, end in ends} == {(*ends[0][:2], Reason.STOP)}


@pytest.mark.parametrize("content", ["long", "waiting"])
def test_cancel_ends_what_runs_and_what_waits(kind: Any, started: Any, content: str) -> None:
    engine, heard = started(kind[0](slots=1))
    long = "slow:9999:5" if kind[1].startswith("slow") else " ".join(["7"] * 120)
    engine.submit(request(long, "long", max_new_tokens=9999), ())
    engine.submit(request(long, "waiting"), ())
    heard.until(lambda events: events["long"])
    engine.cancel(content)
    ids, _, end = heard.end(content)
    assert end.reason is Reason.STOPPED
    assert (len(ids) > 0) == (content == "long")
    engine.drop("long")
    engine.drop("waiting")


def test_drop_is_silent(kind: Any, started: Any) -> None:
    engine, heard = started(kind[0](slots=1))
    engine.submit(request(kind[1], "waits for ever"), ())
    engine.drop("waits for ever")
    engine.submit(request(kind[1], "b"), ())
    heard.end("b")
    assert not any(isinstance(event, Ended) for event in heard.events["waits for ever"])


def test_a_newer_attempt_takes_the_place_of_the_older(kind: Any, started: Any) -> None:
    engine, heard = started(kind[0](slots=1))
    long = "slow:99:20" if kind[1].startswith("slow") else " ".join(["7"] * 120)
    engine.submit(request(long, attempt=1, max_new_tokens=120), ())
    engine.submit(request(long, attempt=2, max_new_tokens=3), ())
    heard.until(lambda events: any(isinstance(e, Ended) and e.attempt == 2 for e in events["a"]))
    engine.submit(request(kind[1], "b"), ())
    heard.end("b")  # the one slot is free again
    second = [event for event in heard.events["a"] if event.attempt == 2]
    assert second[-1].reason is Reason.LENGTH
    assert sum(isinstance(event, Ended) for event in second) == 1


def test_stop_ends_the_thread_without_events(kind: Any) -> None:
    engine, heard = kind[0](), Listener()
    engine.start(heard)
    engine.stop()
    engine.stop()
    assert not heard.calls
    assert not any(t.name == f"engine-{engine.slug}" for t in threading.enumerate())


def test_an_engine_starts_once(kind: Any, started: Any) -> None:
    engine, _ = started(kind[0]())
    with pytest.raises(RuntimeError, match="before"):
        engine.start(print)


def test_limits_and_too_long_hold_everywhere(kind: Any, started: Any) -> None:
    engine, heard = started(kind[0]())
    engine.submit(request(kind[1], "short", max_new_tokens=2), ())
    assert heard.end("short")[2].reason is Reason.LENGTH
    assert heard.end("short")[2].seq == 2
    engine.submit(request("7 " * engine.context, "long"), ())
    end = heard.end("long")[2]
    assert (end.reason, end.error) == (Reason.FAILED, ErrorCode.TOO_LONG)


def test_one_emit_per_step_for_all(kind: Any, started: Any) -> None:
    engine = kind[0](slots=4)
    for i in range(4):
        engine.submit(request(kind[1], f"g{i}"), ())
    assert engine.busy
    _, heard = started(engine)
    for i in range(4):
        heard.end(f"g{i}")
    assert {event.generation_id for event in heard.calls[0]} == {"g0", "g1", "g2", "g3"}


def test_an_engine_that_fails_repeatedly_logs_it_and_ends_the_process(
    started: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "LAST_EVENTS_SECONDS", 0)
    exits, gone = [], threading.Event()
    engine, heard = started(fake_engine(exit=lambda code: (exits.append(code), gone.set())))
    for name in "abc":
        engine.submit(request([BOOM], name), ())
        assert heard.end(name)[2].error == ErrorCode.ENGINE
    assert gone.wait(SOON)
    assert exits == [exit_status.ENGINE_FAILED]


def test_a_broken_loop_ends_the_process(started: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "LAST_EVENTS_SECONDS", 0)
    exits, gone = [], threading.Event()
    engine = fake_engine(exit=lambda code: (exits.append(code), gone.set()))
    engine._scheduler.turn = lambda: 1 // 0
    started(engine)
    assert gone.wait(SOON)
    assert exits == [exit_status.ENGINE_FAILED]


def test_the_inbox_keeps_order_and_remembers_a_wake() -> None:
    inbox: Inbox[Any] = Inbox()
    inbox.put(1)
    inbox.put(2)
    inbox.wait(SOON)  # returns at once: there was news
    assert inbox.drain() == [1, 2]
    assert not inbox
    inbox.wake()
    inbox.wait(SOON)
    inbox.close()
    inbox.wait(SOON)
    assert inbox.closed


def test_the_table_of_engines_has_the_scripted_one_for_tests_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROKWEB_TEST_ENGINES", raising=False)
    with pytest.raises(ValueError, match="GROKWEB_TEST_ENGINES=1"):
        load_engine("scripted", slots=2, threads=1)
    monkeypatch.setenv("GROKWEB_TEST_ENGINES", "1")
    engine = load_engine("scripted", slots=5, threads=1)
    assert (engine.slug, engine.name, engine.context, engine.slots) == (
        "scripted",
        "Scripted test engine",
        8192,
        5,
    )


@pytest.mark.parametrize(
    ("configured", "engine", "model"),
    [
        ("/models/grok-1", "ModelFolder", "/models/grok-1"),
        ("local:/models/grok-1", "ModelFolder", "/models/grok-1"),
        ("/models/odd:name", "ModelFolder", "/models/odd:name"),
        ("scripted", "Scripted", ""),
        ("scripted:anything", "Scripted", "anything"),
    ],
)
def test_a_configured_model_names_its_engine_or_is_a_folder(configured: str, engine: str, model: str) -> None:
    entry, rest = engine_for(configured)
    assert (type(entry).__name__, rest) == (engine, model)


def test_a_model_is_described_without_its_engine() -> None:
    about = describe_model("inference/demo/model")
    assert about.slug
    assert about.is_demo
    assert about.context > 0
    assert describe_model("scripted").slug == "scripted"
