"""Addresses that are not in GROKWEB_URLS get answers that name the problem, and leave a trace."""

from __future__ import annotations

from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.test import Client

from chat.core import addresses
from grokweb.asgi import application

HOSTILE = [
    "<script>alert(1)</script>",
    "a b",
    "x" * 300,
    "evil.example/..",
    "127.0.0.1@evil.example",
    "é",
    "",
]


@pytest.fixture(autouse=True)
def _nothing_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_noted", {})


@pytest.mark.parametrize(
    ("language", "words"), [("en", "is not in GROKWEB_URLS"), ("fr", "n’est pas dans GROKWEB_URLS")]
)
@pytest.mark.parametrize("path", ["/", "/accounts/login/", "/admin/", "/s/x/", "/nowhere"])
def test_an_unknown_host_gets_a_page_that_says_so(path: str, language: str, words: str) -> None:
    answer = Client().get(path, headers={"Host": "chat.internal:8000", "Accept-Language": language})
    assert answer.status_code == 400
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert words in answer.content.decode()


def test_the_interface_for_programs_says_it_in_json() -> None:
    answer = Client().get("/api/search/?q=x", headers={"Host": "chat.internal:8000"})
    assert answer.status_code == 400
    assert "GROKWEB_URLS" in answer.json()["error"]["words"]


@pytest.mark.parametrize("host", HOSTILE)
def test_a_hostile_host_is_neither_shown_nor_kept_nor_logged(
    host: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = Client().get("/", headers={"Host": host or "_"})
    assert answer.status_code == 400
    assert not host or host not in answer.content.decode()
    assert addresses.unknown() == {}
    assert not [record for record in caplog.records if host and host in record.getMessage()]


def test_the_newest_addresses_are_kept_for_the_doctor() -> None:
    for number in range(30):
        Client().get("/", headers={"Host": f"host{number}.example:8000"})
    assert list(addresses.unknown()) == [f"host{number}.example:8000" for number in range(29, 9, -1)]


async def refusal(origin: bytes) -> dict[str, Any]:
    socket = WebsocketCommunicator(application, "/ws/", headers=[(b"origin", origin)])
    await socket.send_input({"type": "websocket.connect"})
    return dict(await socket.receive_output(10))


@pytest.mark.parametrize(
    "origin", [b"https://evil.example", b"http://localhost:1", b"http://[", b"null", b"", b"\xff"]
)
async def test_a_foreign_page_gets_no_socket_and_the_reason(origin: bytes) -> None:
    assert await refusal(origin) == {
        "type": "websocket.close",
        "reason": "This address is not in GROKWEB_URLS",
    }


async def test_the_origin_of_a_refused_socket_is_kept_for_the_doctor() -> None:
    await refusal(b"http://chat.internal:8000")
    assert list(addresses.unknown()) == ["http://chat.internal:8000"]
