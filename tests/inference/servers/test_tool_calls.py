"""Calls of tools through a server: what it is sent, and what becomes of the parts that it streams."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference.contract import Delta, Kind, Reason
from inference.servers.chunks import CallDelta
from inference.servers.tool_calls import MOST_CHARACTERS, ToolCalls
from tests.inference.servers.driving import Driver, request
from tests.inference.servers.fake_server import Answer, Call, FakeServer, event, head, stream, usage

ECHO = {"name": "echo", "description": "Says it again.", "parameters": {"type": "object"}}
CALL = {"id": "c1", "name": "echo", "arguments": '{"text": "a"}'}
MESSAGES = (
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "", "calls": [CALL]},
    {"role": "tool", "call": "c1", "name": "echo", "content": "a"},
)


def part(index: int = 0, **fields: Any) -> str:
    function = {name: fields[name] for name in ("name", "arguments") if name in fields}
    told = {"index": index, "function": function, **({"id": fields["id"]} if "id" in fields else {})}
    return event(delta={"tool_calls": [told]})


TWO_CALLS = "".join(
    [
        event("look"),
        part(id="x", name="echo", arguments=""),
        part(arguments='{"te'),
        part(arguments='xt": "é\\n"}'),
        part(1, id="y", name="echo", arguments="{}"),
    ]
)


def calls_tools(call: Call) -> None:
    call.send(head() + TWO_CALLS.encode() + stream(finish="tool_calls"))


def says_yes(call: Call) -> None:
    call.ok("yes")


def lines_of(driver: Driver, generation_id: str = "g1") -> list[dict[str, Any]]:
    deltas = [each.piece for each in driver.events[generation_id] if isinstance(each, Delta)]
    written = "".join(piece.text for piece in deltas if piece.kind is Kind.CALL)
    return [json.loads(line) for line in written.split("\n") if line]


@pytest.mark.parametrize("finish", ["tool_calls", "stop"])
def test_a_call_that_comes_in_parts_is_one_line(finish: str) -> None:
    def answer(call: Call) -> None:
        call.send(head() + TWO_CALLS.encode() + stream(finish=finish))

    with FakeServer(answer, probe=calls_tools) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: driver.engine.capabilities.tools)
        driver.ask(request(tools=(ECHO,)))
        _, end = driver.result("g1")
        assert lines_of(driver) == [
            {"id": "x", "name": "echo", "arguments": '{"text": "é\\n"}'},
            {"id": "y", "name": "echo", "arguments": "{}"},
        ]
    assert end.reason is Reason.CALLS
    assert server.calls[0].body["tools"] == [{"type": "function", "function": ECHO}]


def test_a_step_after_a_call_sends_calls_and_results() -> None:
    with FakeServer(says_yes, probe=calls_tools) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: driver.engine.capabilities.tools)
        _, end = driver.ask(request(messages=MESSAGES, tools=(ECHO,), may_call=False))
    body = server.calls[0].body
    assert end.reason is Reason.STOP
    assert body["tool_choice"] == "none"
    function = {"name": "echo", "arguments": '{"text": "a"}'}
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "a"},
    ]


THOUGHTFUL = ({**MESSAGES[0]}, {**MESSAGES[1], "thought": "I look it up. " * 9}, {**MESSAGES[2]})


def counts(field: str, *, refuses_without: bool = False, counts_tokens: bool = True) -> Answer:
    """Returns the trial's answers of a server that calls tools and reads thoughts of steps in one field."""

    def probe(call: Call) -> None:
        steps = [each for each in call.body["messages"] if each.get("tool_calls")]
        if not steps:
            calls_tools(call)
        elif refuses_without and field not in steps[0]:
            call.refuse("a step that called tools must have its thought")
        else:
            read = len(steps[0].get(field, "").split()) if counts_tokens else 0
            call.send(head() + stream("yes", end=usage(40 + read, 1) + "data: [DONE]\n\n"))

    return probe


@pytest.mark.parametrize(
    ("probe", "sent"),
    [
        (counts("reasoning_content"), {"reasoning_content"}),
        (counts("reasoning"), {"reasoning"}),
        (counts("reasoning_content", refuses_without=True, counts_tokens=False), {"reasoning_content"}),
        (counts("reasoning", counts_tokens=False), set()),
        (counts("thinking"), set()),
        (says_yes, set()),
    ],
    ids=["counted", "the other name", "demanded", "ignored", "unknown", "without tools"],
)
def test_thoughts_of_earlier_steps_go_to_servers_that_read_them(probe: Answer, sent: set[str]) -> None:
    with FakeServer(says_yes, probe=probe) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: driver.replica(0).probed)
        _, end = driver.ask(request(messages=THOUGHTFUL, tools=(ECHO,)))
    step = server.calls[0].body["messages"][1]
    others = {name: step[name] for name in step.keys() - {"role", "content", "tool_calls"}}
    assert others == dict.fromkeys(sent, THOUGHTFUL[1]["thought"])
    assert end.thoughts == len(sent)


def test_thoughts_that_do_not_fit_are_left_out_and_the_reply_goes_on() -> None:
    long = ({**MESSAGES[0]}, {**MESSAGES[1], "thought": "I look it up. " * 2000}, {**MESSAGES[2]})
    with FakeServer(says_yes, probe=counts("reasoning_content")) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: driver.replica(0).probed)
        text, end = driver.ask(request(messages=long, tools=(ECHO,)))
    assert (text, end.reason, end.left_out, end.thoughts) == ("yes", Reason.STOP, 0, 0)
    assert [each.keys() for each in server.calls[0].body["messages"]] == [
        {"role", "content"},
        {"role", "content", "tool_calls"},
        {"role", "tool_call_id", "content"},
    ]


@pytest.mark.parametrize(("finish", "reason"), [("length", Reason.LENGTH), ("tool_calls", Reason.STOP)])
def test_calls_that_are_cut_or_not_offered_are_dropped(finish: str, reason: Reason) -> None:
    def answer(call: Call) -> None:
        call.send(head() + TWO_CALLS.encode() + stream(finish=finish))

    offered = (ECHO,) if finish == "length" else ()
    with FakeServer(answer, probe=calls_tools) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: driver.engine.capabilities.tools)
        text, end = driver.ask(request(tools=offered))
        assert (text, end.reason, lines_of(driver)) == ("look", reason, [])


def test_a_server_that_only_accepts_tools_is_sent_results_in_words() -> None:
    with FakeServer(says_yes) as server, Driver(server.base) as driver:
        driver.ask(request(messages=MESSAGES, tools=(ECHO,)))
        assert not driver.engine.capabilities.tools
    body = server.calls[0].body
    assert "tools" not in body
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert body["messages"][2]["content"] == "Result of echo:\na"


def test_arguments_that_come_at_once_are_cut_as_those_that_come_in_parts() -> None:
    calls = ToolCalls()
    calls.add([CallDelta(0, "a", "echo", "x" * 70_000), CallDelta(1, "b", "echo", "y")])
    calls.add([CallDelta(1, "", "", "y" * 70_000)])
    assert [len(json.loads(line)["arguments"]) for line in calls.lines()] == [MOST_CHARACTERS] * 2
