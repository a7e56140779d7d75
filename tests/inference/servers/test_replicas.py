"""Several servers behind one model: who gets a conversation, and what happens when one dies."""

from __future__ import annotations

from typing import Any

from inference.contract import MOST_RESTARTS, ErrorCode, Piece, Reason, Resume
from inference.servers import pool
from tests.inference.servers.driving import Driver, request
from tests.inference.servers.fake_server import (
    MODEL,
    Call,
    FakeServer,
    event,
    head,
    message,
    script,
    stream,
    usage,
)


def well(call: Call) -> None:
    call.ok("fine")


def test_the_turns_of_a_conversation_go_to_one_server_and_conversations_to_all() -> None:
    with FakeServer(well) as one, FakeServer(well) as two, Driver(one.base, two.base) as driver:
        for turn in range(3):
            for conversation in range(12):
                asked = request(generation_id=f"{conversation}-{turn}", cache_key=f"c{conversation}")
                assert driver.ask(asked)[1].reason is Reason.STOP
        served = [len(server.calls) for server in (one, two)]
    assert sum(served) == 36
    assert all(count and count % 3 == 0 for count in served)


def test_a_conversation_moves_when_its_server_is_much_busier() -> None:
    def slow(call: Call) -> None:
        call.until_left()

    with FakeServer(slow) as one, FakeServer(slow) as two, Driver(one.base, two.base, slots=16) as driver:
        for number in range(8):
            driver.engine.submit(request(generation_id=f"g{number}", cache_key="same"), ())
        driver.wait_until(lambda: len(one.calls) + len(two.calls) == 8)
        loads = sorted(len(server.calls) for server in (one, two))
    assert loads[0] >= 2
    assert loads[1] >= 4


def test_a_dead_server_costs_nothing_while_another_lives() -> None:
    with FakeServer(well) as gone:
        base = gone.base
    with FakeServer(well) as alive, Driver(base, alive.base) as driver:
        for number in range(6):
            text, end = driver.ask(request(generation_id=f"g{number}", cache_key=f"c{number}"))
            assert (text, end.reason) == ("fine", Reason.STOP)
        assert driver.engine.problem == ""


def test_without_any_server_replies_end_with_the_reason_and_later_ones_are_served_again() -> None:
    with FakeServer(well) as gone:
        port = gone.port
        base = gone.base
    with Driver(base) as driver:
        driver.wait_until(lambda: driver.engine.problem)
        assert driver.engine.problem == ErrorCode.SERVER_UNAVAILABLE
        text, end = driver.ask(request())
        assert (text, end.reason, end.error) == ("", Reason.FAILED, ErrorCode.SERVER_UNAVAILABLE)
        with FakeServer(well, port=port):
            driver.wait_until(lambda: not driver.engine.problem)
            text, end = driver.ask(request(generation_id="g2"))
        assert (text, end.reason) == ("fine", Reason.STOP)
        assert driver.exits == []


def continuing(call: Call) -> None:
    """Continues the answer at the end of the messages, as the probe demands."""
    last = call.body["messages"][-1]
    if last["role"] != "assistant":
        call.send(head() + event("Once upon ").encode() + event("a time").encode())  # and cut
    else:
        assert last["content"] == "Once upon a time"
        call.send(head() + stream(" there was", " a fox", end=usage(9, 4) + "data: [DONE]\n\n"))


def counting(call: Call) -> None:
    call.ok(" fourteen", " fifteen")


def test_a_server_that_ends_while_nobody_asks_is_noticed(monkeypatch: Any) -> None:
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.1)
    with FakeServer(well) as server, Driver(server.base) as driver:
        assert driver.ask(request())[0] == "fine"
        server.__exit__()
        driver.wait_until(lambda: driver.engine.problem)
        assert driver.engine.problem == ErrorCode.SERVER_UNAVAILABLE


def test_an_answer_that_was_cut_is_continued_from_its_text() -> None:
    with FakeServer(continuing, probe=counting) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: driver.replica(0).accepted.prefix)
        text, end = driver.ask(request())
    assert (text, end.reason, end.seq) == ("Once upon a time there was a fox", Reason.STOP, 4)
    # The server's count of the first part was lost with its stream; in the second part's prompt is its text.
    assert (end.prompt_tokens, end.completion_tokens, end.estimated) == (7, 6, True)
    assert len(server.calls) == 2


def test_a_reply_of_a_worker_that_died_is_continued_from_the_log() -> None:
    logged = (Piece(0, 2, "Once upon ", ()), Piece(2, 3, "a time", ()))
    with FakeServer(continuing, probe=counting) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: driver.replica(0).accepted.prefix)
        text, end = driver.ask(request(attempt=2), logged)
    assert (text, end.seq, end.attempt) == (" there was a fox", 5, 2)


def test_an_engine_announces_the_way_in_which_all_its_servers_resume() -> None:
    with FakeServer(well, probe=counting) as able, FakeServer(well) as unable:
        with Driver(able.base) as driver:
            driver.wait_until(lambda: driver.replica(0).probed)
            assert driver.engine.capabilities.resume is Resume.PREFIX
        with Driver(able.base, unable.base) as driver:
            driver.wait_until(lambda: driver.replica(0).probed and driver.replica(1).probed)
            assert driver.engine.capabilities.resume is Resume.RESTART


def test_a_server_that_cannot_continue_ends_a_logged_reply_honestly() -> None:
    with FakeServer(well) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: server.probes)
        logged = (Piece(0, 2, "Once upon ", ()),)
        driver.engine.submit(request(attempt=2), (), logged=logged)
        assert driver.give_back().seq == 2
        _, end = driver.ask(request(generation_id="g2", attempt=2, run=MOST_RESTARTS), logged)
    assert (end.reason, end.error, end.seq) == (Reason.FAILED, ErrorCode.SERVER_CUT, 2)
    assert server.calls == []


def test_a_refused_key_stays_noted_though_the_list_of_models_needs_none(monkeypatch: Any) -> None:
    monkeypatch.setattr(pool, "PROBE_SECONDS", (0.02,))
    noted: list[str] = []
    refused = message(401, {"error": "key"})

    def refuse(call: Call) -> None:
        noted.append(driver.engine.problem)
        call.send(refused)

    with FakeServer(lambda call: call.send(refused)) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: driver.replica(0).probed)
        server.probe = refuse
        assert driver.ask(request())[1].error == ErrorCode.SERVER_KEY
        driver.wait_until(lambda: len(noted) >= 3)
        assert set(noted) == {ErrorCode.SERVER_KEY}
        server.probe = server.answer = well  # the operator made the key valid
        driver.wait_until(lambda: not driver.engine.problem)
        assert driver.ask(request(generation_id="g2"))[0] == "fine"


def test_a_trial_finds_which_parameters_a_server_accepts() -> None:
    def picky(call: Call) -> None:
        if {"priority", "min_p"} & call.body.keys():
            call.refuse("unknown field")
        else:
            call.ok("yes")

    with FakeServer(script(well), probe=picky) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: driver.replica(0).probed)
        accepted = driver.replica(0).accepted
    assert accepted.fields == {"top_k", "repetition_penalty", "request_id", "cache_salt"}
    assert accepted.prefix == ""
    assert all(call.body["model"] == MODEL for call in server.probes)
