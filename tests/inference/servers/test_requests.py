"""A server is sent beside the question only what its trial accepted, and a name for each request."""

from __future__ import annotations

from typing import Any

from inference.text.title import PREFIX as TITLE_PREFIX
from tests.inference.servers.driving import Driver, request
from tests.inference.servers.fake_server import Call, FakeServer, message, script

EXTRAS = ("priority", "cache_salt", "request_id")


def well(call: Call) -> None:
    call.ok("fine")


def busy(call: Call) -> None:
    call.send(message(503, {}, extra="Retry-After: 0\r\n"))


def extras(call: Call) -> dict[str, Any]:
    return {name: call.body[name] for name in EXTRAS if name in call.body}


def ask_all(server: FakeServer) -> list[Call]:
    """Asks for two people, a second conversation and a title; returns the requests, in this order."""
    asked = (("g1", "c1", "ann"), ("g2", "c2", "ann"), ("g3", "c3", "bob"), (f"{TITLE_PREFIX}g1", "", "ann"))
    with Driver(server.base) as driver:
        driver.wait_until(lambda: driver.replica(0).probed)
        for generation_id, conversation, person in asked:
            driver.ask(request(generation_id=generation_id, cache_key=conversation, user_key=person))
    return server.calls


def test_a_server_that_knows_them_gets_a_salt_for_each_person_and_titles_after_replies() -> None:
    with FakeServer(well) as server:
        found = [extras(call) for call in ask_all(server)]
    assert [each["cache_salt"] for each in found] == ["ann", "ann", "bob", "ann"]
    assert [each.get("priority", 0) for each in found] == [0, 0, 0, 1]  # vLLM serves lower numbers first
    assert [each["request_id"] for each in found[:3]] == ["g1-1-1", "g2-1-1", "g3-1-1"]


def test_a_server_that_refuses_them_gets_none() -> None:
    def picky(call: Call) -> None:
        if extras(call):
            call.refuse("unknown field")
        else:
            call.ok("yes")

    with FakeServer(well, probe=picky) as server:
        assert [extras(call) for call in ask_all(server)] == [{}] * 4


def test_every_request_has_its_own_id_in_a_header_also_another_try_and_attempt() -> None:
    with FakeServer(script(busy, well)) as server, Driver(server.base) as driver:
        driver.ask(request(generation_id="g1"))
        driver.engine.submit(request(generation_id="g1", attempt=2), ())
        driver.wait_until(lambda: len(server.calls) == 3)
    assert [call.headers["x-request-id"] for call in server.calls] == ["g1-1-1", "g1-1-2", "g1-2-1"]


def test_only_a_server_that_needs_flags_to_continue_gets_them() -> None:
    def flagged(call: Call) -> None:
        call.ok("fourteen" if call.body.get("continue_final_message") else "one")

    def plain(call: Call) -> None:
        call.ok("one" if call.body.get("continue_final_message") else "fourteen")

    def ignorant(call: Call) -> None:
        call.ok("one")

    messages = ({"role": "user", "content": "Hi"}, {"role": "assistant", "content": "I am"})
    sent = []
    for probe in (flagged, plain):
        with FakeServer(well, probe=probe) as server, Driver(server.base) as driver:
            driver.wait_until(lambda driver=driver: driver.replica(0).probed)
            driver.ask(request(messages=messages))
            sent.append(server.calls[0].body)
    flags = [(body.get("continue_final_message"), body.get("add_generation_prompt")) for body in sent]
    assert flags == [(True, False), (None, None)]
    assert [body["messages"][-1] for body in sent] == [messages[-1]] * 2
    with FakeServer(well, probe=ignorant) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: driver.replica(0).probed)
        assert driver.replica(0).accepted.prefix == ""
