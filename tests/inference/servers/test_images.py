"""Images through a server: whether its model sees them is found by trial, and what it is sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.inference.servers.driving import Driver, request
from tests.inference.servers.fake_server import Call, FakeServer
from tests.inference.servers.seeing import image_in, sees

IMAGES = tuple(
    {"id": name, "type": kind, "data": name + "AA="} for name, kind in (("a", "png"), ("b", "jpeg"))
)
MESSAGES = (
    {
        "role": "user",
        "content": "Image: a.png\n\nWhat is it?",
        "images": [{"id": "a", "width": 56, "height": 28}],
    },
    {"role": "assistant", "content": "A cat."},
    {"role": "user", "content": "And this?", "images": [{"id": "b", "width": 28, "height": 28}]},
)


def says_yes(call: Call) -> None:
    call.ok("yes")


def guesses(call: Call) -> None:
    call.ok("green")


def names_all(call: Call) -> None:
    call.ok("green or blue")


def refuses(call: Call) -> None:
    call.refuse("this model has no eyes") if image_in(call) else call.ok("yes")


@pytest.mark.parametrize(
    ("trial", "images"),
    [(sees, True), (says_yes, False), (guesses, False), (names_all, False), (refuses, False)],
)
def test_a_model_that_names_the_colours_of_two_images_sees(trial: Any, images: bool) -> None:
    with FakeServer(says_yes, probe=trial) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: driver.replica(0).probed)
        assert driver.engine.capabilities.images is images


def test_each_question_brings_its_images_before_its_words() -> None:
    with FakeServer(says_yes, probe=sees) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: driver.replica(0).probed)
        driver.ask(request(messages=MESSAGES, images=IMAGES))
    first, answer, last = server.calls[0].body["messages"]
    assert first["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aAA="}},
        {"type": "text", "text": "Image: a.png\n\nWhat is it?"},
    ]
    assert answer == {"role": "assistant", "content": "A cat."}
    assert last["content"][0] == {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,bAA="}}


def test_a_server_that_does_not_see_gets_the_words_alone() -> None:
    with FakeServer(says_yes, probe=says_yes) as server, Driver(server.base) as driver:
        driver.wait_until(lambda: driver.replica(0).probed)
        driver.ask(request(messages=MESSAGES, images=IMAGES))
    assert [each["content"] for each in server.calls[0].body["messages"]] == [
        "Image: a.png\n\nWhat is it?",
        "A cat.",
        "And this?",
    ]


def test_an_image_counts_in_what_fits_the_context() -> None:
    with FakeServer(says_yes, probe=sees) as server, Driver(server.base) as driver:
        pool = driver.engine.pool
        assert pool
        words = [{**each, "images": []} for each in MESSAGES]
        assert pool.estimate(MESSAGES) - pool.estimate(words) == 2 + 1
