"""Defines hooks: calls from an app to later apps, which it must not import.

A signal announces what has happened, and nobody needs its answer. A hook asks: its handlers return something,
do the work before the caller continues, or refuse by raising a ChatError. An app declares its hooks in
`hooks.py`; later apps register handlers in `AppConfig.ready`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger("grokweb.hooks")


class Hook(Generic[P, R]):
    """Calls any number of handlers, in the order of their dotted names, so that the order in which apps are
    loaded changes nothing.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._handlers: dict[str, Callable[P, R]] = {}

    def register(self, handler: Callable[P, R]) -> Callable[P, R]:
        """Adds a handler, once however often it is registered. Can be used as a decorator."""
        self._handlers[dotted_name(handler)] = handler
        return handler

    def unregister(self, handler: Callable[P, R]) -> None:
        """Removes a handler. Does nothing if it is not registered."""
        self._handlers.pop(dotted_name(handler), None)

    @property
    def handlers(self) -> dict[str, Callable[P, R]]:
        """Returns the handlers by their dotted names, in the order in which they run."""
        return dict(sorted(self._handlers.items()))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> list[R]:
        """Calls every handler and returns their answers. An exception of a handler reaches the caller."""
        return [handler(*args, **kwargs) for handler in self.handlers.values()]

    def call_robust(self, *args: P.args, **kwargs: P.kwargs) -> list[R]:
        """Calls every handler, logs those that fail and returns the answers of the others."""
        answers = []
        for name, handler in self.handlers.items():
            try:
                answers.append(handler(*args, **kwargs))
            except Exception:
                logger.exception("a handler failed", extra={"hook": self.name, "handler": name})
        return answers


def dotted_name(handler: Callable[..., object]) -> str:
    """Returns module and name of a function, which identify it."""
    return f"{handler.__module__}.{getattr(handler, '__qualname__', type(handler).__qualname__)}"
