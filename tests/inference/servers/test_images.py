"""Images through a server: whether its model sees them is found by trial, and what it is sent."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import pytest

from inference.servers.probe_images import COLOURS
from tests.inference.servers.driving import Driver, request
from tests.inference.servers.fake_server import Call, FakeServer

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


def image_in(call: Call) -> str:
    """Returns the address of the image in the last question, "" without one."""
    content = call.body["messages"][-1]["content"]
    parts = content if isinstance(content, list) else []
    return next((part["image_url"]["url"] for part in parts if part["type"] == "image_url"), "")


def sees(call: Call) -> None:
    """Answers with the colour of the first pixel, as a model that sees would."""
    url = image_in(call)
    if not url:
        call.ok("yes")
        return
    png = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    size = struct.unpack(">I", png[33:37])[0]
    pixel = tuple(zlib.decompress(png[41 : 41 + size])[1:4])
    call.ok(next(name for name, colour in COLOURS.items() if colour == pixel))


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
