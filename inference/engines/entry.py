"""Describes a line in the table of engines: light code that knows a model before anything is loaded.

The web process, `manage.py up` and the worker ask it; only `create` may import a heavy library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from inference.engines.base import Engine


@dataclass(frozen=True, slots=True)
class ModelAbout:
    """Facts for the model card, known before loading. `context` 0: the engine says it when it runs."""

    slug: str  # lower-case a-z, 0-9 and "-"; names the queue "model.<slug>"
    name: str
    context: int = 0  # longest prompt plus reply, in tokens
    is_demo: bool = False
    about: str = ""
    titles: bool = True  # whether it is asked for titles of conversations
    sampling: Mapping[str, float] = field(default_factory=dict)  # fields of contract.Sampling
    licence: Mapping[str, str] = field(default_factory=dict)  # {"name", "link"}, or {} where it is unknown


@dataclass(frozen=True, slots=True)
class Asked:
    """Says what servers of a model answered. `problems`: one line for each thing that has to be corrected.

    `is_usable`: at least one server has no problem; `is_silent`: none answered, so that replies wait.
    """

    problems: tuple[str, ...] = ()
    is_usable: bool = True
    is_silent: bool = False


class EngineEntry(Protocol):
    """Describes one kind of engine. `model` is GROKWEB_MODEL without the name of the entry and its colon."""

    label: str  # for operators, in English

    def describe(self, model: str) -> ModelAbout:
        """Raises ModelUnusable, with the cause and the next step, for a model that cannot be served."""

    def usable_context(self, model: str, wanted: int) -> int:
        """Returns the tokens of context that fit the memory here (`wanted` 0: the longest); 0 if unknown."""

    def create(self, model: str, *, slots: int, threads: int, cache_bytes: int, context: int) -> Engine:
        """Returns an engine that is not started yet; the numbers are explained at `load_engine`."""


@runtime_checkable
class Remote(Protocol):
    """Describes an entry whose models are computed elsewhere, so that it can be asked without loading any."""

    def ask(self, model: str, key: str | None = None) -> Asked:
        """Asks the servers, with `key` or, if it is None, with the key of the settings.

        Raises ModelUnusable for a model or a key that cannot be used whatever the server says.
        """
