"""Errors of requests to a model's server. Messages name no URL, key or text, because they go to logs."""

from __future__ import annotations


class ServerError(Exception):
    """A request to a server failed. `retry_after`: seconds that the server asks to wait."""

    is_servers_fault = True  # counts against the server (replicas.py); False: this request is at fault
    may_retry = True
    is_answer = True  # something came from the server

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unreachable(ServerError):
    """No connection: refused, unknown host, wrong certificate, no answer in time."""

    is_answer = False


class Silent(ServerError):
    """Connected, but nothing arrived for too long."""

    is_answer = False


class Busy(ServerError):
    """The server asks to come back later (429, 503, 529)."""

    is_servers_fault = False


class Broken(ServerError):
    """The answer cannot be used: an error of the server, a cut transfer, invalid JSON."""


class WebPage(Broken):
    """The answer is a page for people: the address is probably not that of a model's server."""


class KeyRefused(ServerError):
    """The server refuses the key (401, 403)."""

    may_retry = False

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class Refused(ServerError):
    """The server, or our own guard (status 0), refuses this request (400, 404, 413, 422).

    `too_long`: because of the prompt's length; `reason`: the guard's, a key of outbound.errors.REASONS.
    """

    is_servers_fault = False
    may_retry = False

    def __init__(self, message: str, *, status: int, too_long: bool = False, reason: str = "") -> None:
        super().__init__(message)
        self.status, self.too_long, self.reason = status, too_long, reason
