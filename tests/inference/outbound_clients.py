"""Makes guarded clients for servers of tests, and returns how a request failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from inference.base.outbound import Client, Limits, Listed, OutboundError, Policy
from tests.inference.outbound_cases import SMALL
from tests.inference.outbound_servers import HOST, Script, Server


def client_for(*servers: Server, purpose: str = "hub", limits: Limits = SMALL, **options: Any) -> Client:
    listed = Listed.parse(f"{HOST}:{server.port}" for server in servers)
    return Client(Policy(purpose, listed=listed, limits=limits, **options))


def failure(run: Callable[[], object]) -> tuple[type[OutboundError], str]:
    with pytest.raises(OutboundError) as error:
        run()
    assert error.value.__cause__ is None
    return type(error.value), error.value.reason


def failure_of(script: Script, *, limits: Limits = SMALL, **options: Any) -> tuple[type[OutboundError], str]:
    with Server(script) as server:
        client = client_for(server, limits=limits, **options)
        return failure(lambda: client.get(server.url).read())
