"""Fixtures of notifications: the operator's key, and a push service on the loopback interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from chat.push import keys
from inference.base.outbound import Listed
from tests.inference.outbound_servers import HOST, Authority, Script, Server, answer, says

CREATED = says(answer(b"", status="201 Created"))


@pytest.fixture
def push_key(settings: Any) -> str:
    settings.PUSH_KEY = keys.generate()
    settings.PUSH_IN_BACKGROUND = False
    settings.PUSH_CONTACT = "https://chat.example.org"
    return str(settings.PUSH_KEY)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def push_service(settings: Any, push_key: str, authority: Authority) -> Iterator[Callable[..., Server]]:
    """Starts a push service that answers as a script says; the guard lets requests to it pass."""
    settings.PUSH_TLS = authority.trusting()
    with ExitStack() as stack:

        def start(script: Script = CREATED) -> Server:
            server = stack.enter_context(Server(script, authority.serving(HOST)))
            settings.PUSH_LISTED = Listed.parse([f"{HOST}:{server.port}"])
            return server

        yield start
