"""The engine for tests and drills: scripts, faults, and its cost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from inference.contract import Delta, Ended, ErrorCode, Kind, Reason, ReplyRule
from inference.engines.script_language import read_script
from inference.engines.scripted import ScriptedEngine
from tests.inference.engine_fakes import request
from tests.inference.listening import SOON, Listener, unexpected

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def engine() -> Iterator[Any]:
    engine = ScriptedEngine(slots=128, exit=unexpected)
    engine.heard = Listener()
    engine.start(engine.heard)
    yield engine
    engine.stop()


def answer(engine: Any, script: Any, *, emitted: tuple[Any, ...] = (), after: int = 0, **fields: Any) -> Any:
    engine.submit(request(script, **fields), emitted)
    return engine.heard.end(fields.get("name", "a"), after)


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("slow:3:0", "w1 w2 w3"),
        ("slow:1:0", "w1"),
        ("slow:2:1 and anything behind a space", "w1 w2"),
        ("slow:many", "slow:many"),
        ("slow:0", ""),
        ("echo:hello  big\nworld", "hello  big\nworld"),
        ("echo:", ""),
        ("pace:1:hello  big\nworld", "hello  big\nworld"),
        ("pace:soon:x", "pace:soon:x"),
        (" what else? ", " what else? "),
        ("é😀 \ud800", "é😀 ?"),
    ],
)
def test_each_script_gives_its_text(engine: Any, script: str, text: str) -> None:
    ids, got, end = answer(engine, script)
    assert (got, end.reason) == (text, Reason.STOP)
    assert ids == tuple(range(len(ids)))


def test_each_word_is_a_token_with_its_following_space() -> None:
    assert read_script("echo: one two\n three").words == [" one ", "two\n ", "three"]
    assert read_script("slow:3").words == ["w1 ", "w2 ", "w3"]
    assert (read_script("slow:3").interval, read_script("slow:3:20").interval) == (0.05, 0.02)


def test_the_script_is_the_last_user_message_and_all_words_count(engine: Any) -> None:
    messages = (
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": "echo:old"},
        {"role": "assistant", "content": "old"},
        {"role": "user", "content": "echo:new one"},
    )
    _, text, end = answer(engine, "", messages=messages)
    assert (text, end.prompt_tokens) == ("new one", 6)


def test_words_come_apart_and_the_first_at_once(engine: Any) -> None:
    """The second word is due after all that a test waits for."""
    engine.submit(request(f"slow:5:{20 * SOON * 1000}"), ())
    engine.heard.until(lambda events: events["a"])
    engine.cancel("a")
    ids, text, end = engine.heard.end()
    assert (ids, text.strip(), end.reason) == ((0,), "w1", Reason.STOPPED)


@pytest.mark.parametrize("cut", range(6))
def test_a_reply_can_be_resumed_at_every_cut(engine: Any, cut: Any) -> None:
    ids, rest, end = answer(engine, "slow:5:0", emitted=range(cut), after=cut)
    assert ids == tuple(range(cut, 5))
    assert "".join(["w1 ", "w2 ", "w3 ", "w4 ", "w5"][:cut]) + rest == "w1 w2 w3 w4 w5"
    assert end.reason is Reason.STOP


def test_stop_strings_limits_and_rules(engine: Any) -> None:
    assert answer(engine, "slow:9:0", name="stop", stop=("w4",))[1:2] == ("w1 w2 w3 ",)
    assert answer(engine, "slow:9:0", name="limit", max_new_tokens=4)[2].reason is Reason.LENGTH
    rule = ReplyRule("r", r"w3\b")
    _, text, end = answer(engine, "slow:9:0", name="rule", rules=(rule,), hold_back=2)
    assert (end.reason, end.error, "w3" in text) == (Reason.REFUSED, "r", False)
    assert answer(engine, "slow:4:0", name="exact", max_new_tokens=4)[2].reason is Reason.STOP


@pytest.mark.parametrize(
    ("script", "code"),
    [("oom:", ErrorCode.OUT_OF_MEMORY), ("nan:", ErrorCode.NAN), ("raise:", ErrorCode.ENGINE)],
)
def test_a_fault_ends_only_its_own_reply(engine: Any, script: str, code: Any) -> None:
    engine.submit(request("slow:20:5", "neighbour"), ())
    ids, _, end = answer(engine, script)
    assert (ids, end.reason, end.error) == ((), Reason.FAILED, code)
    assert engine.heard.end("neighbour")[2].seq == 20


def test_an_unreadable_rule_fails_that_request(engine: Any) -> None:
    assert answer(engine, "x", rules=(ReplyRule("r", "("),))[2].error == ErrorCode.ENGINE


def test_hang_stops_the_steps_while_busy(engine: Any) -> None:
    engine.submit(request("hang:"), ())
    deadline = time.monotonic() + SOON
    while not engine._running:
        assert time.monotonic() < deadline, "it does not run"
        time.sleep(0.001)
    before = engine.steps
    engine.cancel("a")
    engine.submit(request("echo:x", "b"), ())
    time.sleep(0.03)
    assert engine.busy
    assert engine.steps == before
    assert not engine.heard.calls


def test_poison_kills_the_process_at_its_first_step() -> None:
    code = (
        "import sys, time; sys.path.insert(0, 'tests/inference')\n"
        "from engine_fakes import request\n"
        "from inference.engines.scripted import ScriptedEngine\n"
        "engine = ScriptedEngine(slots=1)\n"
        "engine.start(lambda events: print('events'))\n"
        "engine.submit(request('poison:'), ())\n"
        "time.sleep(30)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, timeout=25)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"")


def test_the_module_needs_no_torch() -> None:
    code = "import sys, inference.engines.scripted; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=25).returncode == 0


def test_a_hundred_slow_answers_cost_little(engine: Any) -> None:
    for i in range(100):
        engine.submit(request("slow:10:50", f"g{i}"), ())
    for i in range(100):
        ids, text, end = engine.heard.end(f"g{i}")
        assert (len(ids), end.reason) == (10, Reason.STOP)
    deltas = sum(isinstance(event, Delta) for call in engine.heard.calls for event in call)
    ends = sum(isinstance(event, Ended) for call in engine.heard.calls for event in call)
    assert ends == 100
    assert deltas <= 1000  # at most one piece a word; words that are due in one step are one piece
    assert len(engine.heard.calls) < 400  # words due together leave together
    assert engine.steps < 500  # and the thread slept between them


ECHO = ({"name": "echo", "description": "Says it again.", "parameters": {"type": "object"}},)
CALLS = 'think:1:hm wait call:echo:{"text": "a b"} && call:echo:{"text": ""}'


def kinds_of(engine: Any) -> list[tuple[str, str]]:
    pieces = [event.piece for event in engine.heard.events["a"] if isinstance(event, Delta)]
    joined: list[tuple[str, str]] = []
    for piece in pieces:
        if joined and joined[-1][0] == piece.kind:
            joined[-1] = (piece.kind, joined[-1][1] + piece.text)
        else:
            joined.append((piece.kind, piece.text))
    return joined


def test_a_script_calls_tools_that_the_request_offers(engine: Any) -> None:
    _, _, end = answer(engine, CALLS, tools=ECHO)
    assert end.reason is Reason.CALLS
    *before, (kind, lines) = kinds_of(engine)
    assert before == [(Kind.THOUGHT, "hm "), (Kind.TEXT, "wait")]
    assert kind is Kind.CALL
    assert [json.loads(line) for line in lines.splitlines()] == [
        {"id": "call_0_0", "name": "echo", "arguments": {"text": "a b"}},
        {"id": "call_0_1", "name": "echo", "arguments": {"text": ""}},
    ]


@pytest.mark.parametrize("fields", [{}, {"tools": ECHO, "may_call": False}])
def test_a_script_calls_nothing_that_is_not_offered(engine: Any, fields: dict[str, Any]) -> None:
    _, text, end = answer(engine, "call:echo:{}", **fields)
    assert (text, end.reason) == ("call:echo:{}", Reason.STOP)


def test_a_script_without_calls_has_all_its_lines(engine: Any) -> None:
    _, text, end = answer(engine, "echo:one\n\ntwo", tools=ECHO)
    assert (text, end.reason) == ("one\n\ntwo", Reason.STOP)


def test_a_step_after_a_call_answers_with_its_result(engine: Any) -> None:
    question = 'call:echo:{"text": "a b"}\necho:then call:echo:{}'
    asked = {"role": "user", "content": question}
    calls = [{"id": "call_0_0", "name": "echo", "arguments": "{}"}]
    called = {"role": "assistant", "content": "", "calls": calls}
    result = {"role": "tool", "call": "call_0_0", "name": "echo", "content": "a b"}
    _, text, end = answer(engine, "", messages=(asked, called, result), tools=ECHO)
    assert (text.splitlines()[0][:5], end.reason) == ("then{", Reason.CALLS)
    messages = (asked, called, result, called, {**result, "content": "c"})
    _, text, end = answer(engine, "", messages=messages, tools=ECHO, name="b")
    assert (text, end.reason) == ("a b c", Reason.STOP)


def test_a_call_is_resumed_at_every_cut(engine: Any) -> None:
    engine.submit(request(CALLS, tools=ECHO, name="whole"), ())
    _, whole, _ = engine.heard.end("whole", 0)
    for cut in range(4):
        name = f"cut-{cut}"
        _, rest, end = answer(engine, CALLS, tools=ECHO, emitted=tuple(range(cut)), after=cut, name=name)
        assert whole.endswith(rest)
        assert (end.seq, end.reason) == (4, Reason.CALLS)
