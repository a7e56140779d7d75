"""Replies of an OpenAI-compatible server: what arrives, and what each fault of the server costs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from inference.contract import MOST_RESTARTS, Delta, ErrorCode, Kind, Reason, ReplyRule
from tests.inference.servers.driving import Driver, request
from tests.inference.servers.fake_server import (
    Call,
    FakeServer,
    data,
    event,
    head,
    message,
    script,
    stream,
    usage,
)


def test_a_reply_arrives_whole_with_its_usage() -> None:
    def answer(call: Call) -> None:
        call.send(head() + stream("Hel", "lo ", "🦊", finish="stop", end=usage(11, 3) + "data: [DONE]\n\n"))

    with FakeServer(answer) as server, Driver(server.base) as driver:
        text, end = driver.ask(request())
    assert (text, end.reason, end.seq, end.prompt_tokens) == ("Hello 🦊", Reason.STOP, 3, 11)
    assert (end.completion_tokens, end.estimated) == (3, False)
    sent = server.calls[0]
    assert sent.headers["authorization"] == "Bearer secret"
    assert sent.body["messages"] == [{"role": "user", "content": "Hi"}]
    assert (sent.body["max_tokens"], sent.body["temperature"], sent.body["stream"]) == (100, 0.5, True)


WHOLE = head() + stream("one ", "two", end=usage(5, 2) + "data: [DONE]\n\n")
FINISHED = WHOLE.index(b"\n\n", WHOLE.index(b'"stop"')) + 2  # bytes: with them the server's end has arrived


def test_a_stream_cut_anywhere_is_asked_for_again_or_ends_with_what_came() -> None:
    """Before the first text another try gives the whole reply; after it the text so far stays."""
    step: Iterator[int] = iter([])

    def answer(call: Call) -> None:
        call.send(WHOLE[: next(step, len(WHOLE))])

    with FakeServer(answer) as server, Driver(server.base) as driver:
        for cut in range(0, len(WHOLE), 3):
            step, before = iter([cut]), len(server.calls)
            text, end = driver.ask(request(generation_id=f"cut-{cut}", run=MOST_RESTARTS))
            tries = len(server.calls) - before
            if tries == 2 or cut >= FINISHED:
                assert (text, end.reason) == ("one two", Reason.STOP), cut
            else:
                assert (end.reason, end.error) == (Reason.FAILED, ErrorCode.SERVER_CUT), cut
                assert text in ("one ", "one two"), cut
                driver.ask(request(generation_id=f"well-{cut}"))  # three failures in a row would rest it
    assert driver.exits == []


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (message(400, {"error": {"message": "bad"}}), ErrorCode.SERVER_REFUSED),
        (message(404, {"error": {"message": "no such model"}}), ErrorCode.SERVER_REFUSED),
        (message(401, {"error": "key"}), ErrorCode.SERVER_KEY),
        (message(302, {}, extra="Location: http://127.0.0.1:1/\r\n"), ErrorCode.SERVER_REFUSED),
        (message(400, {"error": {"message": "maximum context length is 16"}}), ErrorCode.TOO_LONG),
    ],
)
def test_a_refusal_ends_the_reply_with_its_reason(answer: bytes, code: ErrorCode) -> None:
    def refuse(call: Call) -> None:
        call.send(answer)

    with FakeServer(refuse) as server, Driver(server.base) as driver:
        text, end = driver.ask(request())
    assert (text, end.reason, end.error) == ("", Reason.FAILED, code)


@pytest.mark.parametrize(
    "first",
    [
        message(429, {"error": "later"}, extra="Retry-After: 0\r\n"),
        message(500, {"error": "oops"}),
        message(503, {}, extra="Retry-After: 0.1\r\n"),
        head() + b"data: {not json\n\n",
        head() + b'data: {"choices": "many"}\n\n',
        head() + b"data: [1, 2]\n\n",
        head() + data({"error": {"message": "boom", "code": 500}}).encode(),
        head(content_type="text/html") + b"<html>",
        head(extra="Transfer-Encoding: chunked\r\n") + b"zz\r\nhello",
        head() + b"\xff\xfe\xff",
        b"garbage\r\n\r\n",
        b"",
    ],
)
def test_a_fault_before_the_first_token_costs_a_moment_only(first: bytes) -> None:
    def broken(call: Call) -> None:
        call.send(first)

    def well(call: Call) -> None:
        call.ok("fine")

    with FakeServer(script(broken, well)) as server, Driver(server.base) as driver:
        text, end = driver.ask(request())
    assert (text, end.reason, len(server.calls)) == ("fine", Reason.STOP, 2)


def test_a_reply_that_broke_off_is_given_back_as_often_as_it_may_start_again() -> None:
    def cut(call: Call) -> None:
        call.send(head() + event("one ").encode())

    with FakeServer(cut) as server, Driver(server.base) as driver:
        for run in range(MOST_RESTARTS):
            driver.engine.submit(request(generation_id=f"run-{run}", run=run), ())
            assert driver.give_back(f"run-{run}").seq == 1
        text, end = driver.ask(request(generation_id="last", run=MOST_RESTARTS))
    assert (text, end.reason, end.error) == ("one ", Reason.FAILED, ErrorCode.SERVER_CUT)
    assert len(server.calls) == MOST_RESTARTS + 1


def test_a_worker_knows_that_a_server_is_gone_before_it_gives_a_reply_back() -> None:
    def slow(call: Call) -> None:
        call.send(head() + event("one ").encode())
        call.until_left()

    with FakeServer(slow) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: driver.replica(0).probed)
        driver.engine.submit(request(), ())
        driver.wait_until(lambda: driver.text() == "one ")
        server.__exit__()
        driver.give_back()
        assert driver.engine.problem == ErrorCode.SERVER_UNAVAILABLE


def test_a_silent_server_costs_its_reply_and_the_loop_goes_on() -> None:
    def silent(call: Call) -> None:
        call.send(head() + event("one").encode())
        call.until_left()

    with FakeServer(silent) as server, Driver(server.base) as driver:
        steps = driver.engine.steps
        text, end = driver.ask(request(run=MOST_RESTARTS))
        assert driver.engine.steps > steps
    assert (text, end.reason, end.error) == ("one", Reason.FAILED, ErrorCode.SERVER_CUT)
    assert server.calls[0].was_left.wait(60)
    assert driver.exits == []


@pytest.mark.parametrize("begun", [False, True])
def test_a_stop_closes_the_connection(begun: bool) -> None:
    def slow(call: Call) -> None:
        if begun:
            call.send(head() + event("one").encode())
        call.until_left()

    with FakeServer(slow) as server, Driver(server.base) as driver:
        driver.engine.submit(request(), ())
        driver.wait_until(lambda: server.calls and (not begun or driver.text() == "one"))
        driver.engine.cancel("g1")
        text, end = driver.result()
        assert server.calls[0].was_left.wait(60)
    assert (text, end.reason) == ("one" if begun else "", Reason.STOPPED)
    assert not driver.engine.busy


def test_a_reply_that_is_stopped_at_once_ends_as_stopped() -> None:
    def slow(call: Call) -> None:
        call.until_left()

    with FakeServer(slow) as server, Driver(server.base) as driver:
        for number in range(50):
            driver.engine.submit(request(generation_id=f"g{number}"), ())
            driver.engine.cancel(f"g{number}")
        ends = [driver.result(f"g{number}") for number in range(50)]
        assert {(text, end.reason) for text, end in ends} == {("", Reason.STOPPED)}
        assert not driver.engine.busy


def test_a_dropped_reply_gets_no_event_and_closes_the_connection() -> None:
    def slow(call: Call) -> None:
        call.until_left()

    with FakeServer(slow) as server, Driver(server.base) as driver:
        driver.engine.submit(request(), ())
        driver.wait_until(lambda: server.calls)
        driver.engine.drop("g1")
        assert server.calls[0].was_left.wait(60)
        driver.wait_until(lambda: not driver.engine.busy)
    assert driver.events == {}


def test_a_second_finish_and_what_follows_it_are_ignored() -> None:
    def twice(call: Call) -> None:
        events = [event("one", finish="stop"), event("two", finish="length"), usage(4, 1)]
        call.send(head() + "".join(events).encode())

    with FakeServer(twice) as server, Driver(server.base) as driver:
        text, end = driver.ask(request())
    assert (text, end.reason, end.prompt_tokens) == ("one", Reason.STOP, 4)


@pytest.mark.parametrize(
    ("prompt", "completion"),
    [(-5, 1), (2**40, 1), (None, 1), ("many", 1), (0, 1), (100_000, 1), (5, 0), (5, 101), (5, None)],
)
def test_an_impossible_usage_is_replaced_by_an_estimate(prompt: object, completion: object) -> None:
    def wrong(call: Call) -> None:
        last = data({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}})
        call.send(head() + (event("one", finish="stop") + last).encode())

    with FakeServer(wrong) as server, Driver(server.base) as driver:
        text, end = driver.ask(request())
    assert (text, end.reason) == ("one", Reason.STOP)
    assert 0 < end.prompt_tokens < 50
    assert (end.completion_tokens, end.estimated) == (None, True)


def test_a_usage_that_is_too_small_for_the_text_is_replaced_by_an_estimate() -> None:
    def stingy(call: Call) -> None:
        call.send(head() + (event("word " * 20, finish="stop") + usage(5, 2)).encode())

    with FakeServer(stingy) as server, Driver(server.base) as driver:
        _, end = driver.ask(request())
    assert (end.completion_tokens, end.estimated) == (None, True)


def test_the_servers_count_holds_where_it_sends_several_tokens_in_a_piece() -> None:
    def coarse(call: Call) -> None:
        call.send(head() + stream("Many tokens ", "in a piece", end=usage(4, 9) + "data: [DONE]\n\n"))

    with FakeServer(coarse) as server, Driver(server.base) as driver:
        _, end = driver.ask(request())
    assert (end.seq, end.completion_tokens, end.estimated) == (2, 9, False)


def test_thoughts_that_a_server_counts_beside_the_answer_are_added() -> None:
    counted = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 13}
    details = {"completion_tokens_details": {"reasoning_tokens": 7}}

    def thinking(call: Call) -> None:
        last = data({"choices": [], "usage": {**counted, **details}})
        call.send(head() + (event("one ") + event("two", finish="stop") + last).encode())

    with FakeServer(thinking) as server, Driver(server.base) as driver:
        _, end = driver.ask(request())
    assert (end.prompt_tokens, end.completion_tokens, end.estimated) == (4, 9, False)


def test_a_reply_that_reaches_its_limit_waits_for_the_usage() -> None:
    def long(call: Call) -> None:
        call.send(head() + stream("a", "b", "c", finish="length", end=usage(6, 3) + "data: [DONE]\n\n"))

    with FakeServer(long) as server, Driver(server.base) as driver:
        text, end = driver.ask(request(max_new_tokens=3))
    assert (text, end.reason, end.prompt_tokens, end.completion_tokens) == ("abc", Reason.LENGTH, 6, 3)
    assert not end.estimated


def test_a_reply_without_usage_is_marked_as_estimated() -> None:
    def silent(call: Call) -> None:
        call.ok("one ", "two")

    with FakeServer(silent) as server, Driver(server.base) as driver:
        _, end = driver.ask(request())
    assert (end.seq, end.completion_tokens, end.estimated) == (2, None, True)


def test_a_server_that_never_ends_is_ended_at_the_limit() -> None:
    def endless(call: Call) -> None:
        call.send(head())
        while True:
            call.send(event("a").encode() * 50)

    with FakeServer(endless) as server, Driver(server.base) as driver:
        text, end = driver.ask(request(max_new_tokens=10))
    assert (text, end.reason) == ("a" * 10, Reason.LENGTH)


def test_stop_strings_hold_here_whatever_the_server_does() -> None:
    def answer(call: Call) -> None:
        call.ok("one EN", "D two")

    with FakeServer(answer) as server, Driver(server.base) as driver:
        text, end = driver.ask(request(stop=("END",)))
    assert (text, end.reason) == ("", Reason.STOP)


def test_a_long_history_is_shortened_and_again_if_the_server_finds_it_too_long() -> None:
    def strict(call: Call) -> None:
        if len(json_length(call.body)) > 900:
            call.send(message(400, {"error": {"code": "context_length_exceeded"}}))
        else:
            call.ok("short enough")

    turns = [{"role": role, "content": "x" * 200} for _ in range(20) for role in ("user", "assistant")]
    asked = request(messages=(*turns, {"role": "user", "content": "last"}), max_new_tokens=50)
    with FakeServer(strict) as server, Driver(server.base) as driver:
        text, end = driver.ask(asked)
    assert (text, end.reason) == ("short enough", Reason.STOP)
    assert server.calls[-1].body["messages"][-1]["content"] == "last"


def json_length(body: dict[str, list[dict[str, str]]]) -> str:
    return "".join(each["content"] for each in body["messages"])


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts_are_kept_apart_from_the_answer(name: str) -> None:
    def think(call: Call) -> None:
        thoughts = "".join(event(delta={name: text}) for text in ("Let me ", "think END"))
        call.send(head() + (thoughts + stream("It is ", "42.").decode()).encode())

    with FakeServer(think) as server, Driver(server.base) as driver:
        _, end = driver.ask(request(stop=("END",), hold_back=3))
        pieces = [each.piece for each in driver.events["g1"] if isinstance(each, Delta)]
    by_kind = {kind: "".join(p.text for p in pieces if p.kind is kind) for kind in (Kind.THOUGHT, Kind.TEXT)}
    assert by_kind == {Kind.THOUGHT: "Let me think END", Kind.TEXT: "It is 42."}
    assert [piece.kind for piece in pieces] == sorted((piece.kind for piece in pieces), reverse=True)
    assert (end.reason, end.seq) == (Reason.STOP, 4)


def test_a_rule_holds_for_thoughts_too() -> None:
    def think(call: Call) -> None:
        call.send(head() + (event(delta={"reasoning": "the secret "}) + stream("Hello").decode()).encode())

    rule = ReplyRule("r1", "secret")
    with FakeServer(think) as server, Driver(server.base) as driver:
        text, end = driver.ask(request(rules=(rule,), hold_back=20))
    assert (text, end.reason, end.error) == ("", Reason.REFUSED, "r1")


def test_a_reply_cut_within_its_thoughts_is_not_continued() -> None:
    def think(call: Call) -> None:
        call.send(head() + event(delta={"reasoning": "Let me"}).encode())

    def counting(call: Call) -> None:
        call.ok("fourteen")

    with FakeServer(think, probe=counting) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: driver.replica(0).accepted.prefix)
        driver.engine.submit(request(), ())
        assert driver.give_back().seq == 1
        _, end = driver.ask(request(generation_id="again", run=MOST_RESTARTS))
    assert (end.reason, end.error, len(server.calls)) == (Reason.FAILED, ErrorCode.SERVER_CUT, 2)
