"""Efforts of thinking are found out by trying: what a server ignores is not offered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.inference.servers.driving import Driver, request
from tests.inference.servers.fake_server import Call, FakeServer, event, head

LEVELS = ("low", "medium", "high")
END = event(finish="stop") + "data: [DONE]\n\n"
THOUGHT = head() + (event(delta={"reasoning_content": "hm"}) + event("yes") + END).encode()
PLAIN = head() + (event("yes") + END).encode()


def server_that(thinks: Callable[[dict[str, Any]], bool | None]) -> Callable[[Call], None]:
    """Returns a probe that answers with a thought, without one, or (None) refuses the request."""

    def probe(call: Call) -> None:
        is_thought = thinks(call.body)
        if is_thought is None:
            call.refuse("no such value")
        else:
            call.send(THOUGHT if is_thought else PLAIN)

    return probe


def switch(body: dict[str, Any]) -> bool:
    return bool(body.get("chat_template_kwargs", {}).get("enable_thinking", True))


def level(body: dict[str, Any]) -> bool | None:
    asked = body.get("reasoning_effort", "high")
    return {"none": False}.get(asked, True) if asked in (*LEVELS, "none") else None


def level_without_off(body: dict[str, Any]) -> bool | None:
    return True if body.get("reasoning_effort", "high") in LEVELS else None


@pytest.mark.parametrize(
    ("thinks", "efforts"),
    [
        (lambda body: True, ()),  # it ignores what it does not know
        (lambda body: False, ()),  # a model that does not think
        (switch, ("off", "high")),
        (level, ("off", "low", "medium", "high")),
        (level_without_off, LEVELS),
    ],
)
def test_an_effort_is_offered_if_the_server_obeys_it(thinks: Any, efforts: tuple[str, ...]) -> None:
    with (
        FakeServer(lambda call: call.ok("Hi"), probe=server_that(thinks)) as server,
        Driver(server.base) as driver,
    ):
        driver.wait_until(lambda: driver.replica(0).probed)
        assert driver.engine.capabilities.efforts == efforts


@pytest.mark.parametrize(
    ("thinks", "effort", "fields"),
    [
        (switch, "off", {"chat_template_kwargs": {"enable_thinking": False}}),
        (switch, "high", {}),
        (level, "off", {"reasoning_effort": "none"}),
        (level, "low", {"reasoning_effort": "low"}),
        (level, "", {}),
        (lambda body: True, "low", {}),
    ],
)
def test_a_request_carries_its_effort_as_the_server_takes_it(
    thinks: Any, effort: str, fields: dict[str, Any]
) -> None:
    with (
        FakeServer(lambda call: call.ok("Hi"), probe=server_that(thinks)) as server,
        Driver(server.base) as driver,
    ):
        driver.wait_until(lambda: driver.replica(0).probed)
        driver.ask(request(effort=effort))
    sent = server.calls[0].body
    known = ("chat_template_kwargs", "reasoning_effort")
    assert {name: sent[name] for name in known if name in sent} == fields
