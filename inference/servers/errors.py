"""Errors of requests to a model's server. Messages name no URL, key or text, because they go to logs."""

from __future__ import annotations


class ServerError(Exception):
    """A request to a server failed. `retry_after`: seconds that the server asks to wait."""

    is_servers_fault = True  # counts against the server (replicas.py); False: this request is at fault
    may_retry = True

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unreachable(ServerError):
    """No connection: refused, unknown host, wrong certificate, no answer in time."""


class Silent(ServerError):
    """Connected, but nothing arrived for too long."""


class Busy(ServerError):
    """The server asks to come back later (429, 503, 529)."""

    is_servers_fault = False


class Broken(ServerError):
    """The answer cannot be used: an error of the server, a cut transfer, invalid JSON."""


class KeyRefused(ServerError):
    """The server refuses the key (401, 403)."""

    may_retry = False


class Refused(ServerError):
    """The server refuses this request (400, 404, 413, 422). `too_long`: because of the prompt's length."""

    is_servers_fault = False
    may_retry = False

    def __init__(self, message: str, *, status: int, too_long: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.too_long = too_long
