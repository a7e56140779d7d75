"""The table of engines. To add one: a class with base.Engine's methods, a line here, its tests."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from inference.engines.base import Engine

# Dotted names, loaded on first use: `scripted` must not pull in torch.
ENGINES = {
    "local": "inference.engines.local.LocalEngine",
    "scripted": "inference.engines.scripted.ScriptedEngine",
}


def engine_class(name: str) -> Any:
    """The class behind a line of ENGINES."""
    module, _, attribute = ENGINES[name].rpartition(".")
    return getattr(import_module(module), attribute)


def load_engine(model: str, *, slots: int, threads: int, kept_bytes: int = 0) -> Engine:
    """The engine for `model`: a model directory, or "scripted" in tests. Not started yet.

    `kept_bytes` may hold the beginnings of conversations, for their next turn, beside the slots' own.
    Raises ValueError for "scripted" without GROKWEB_TEST_ENGINES=1, and ModelUnusable for a directory that
    cannot be served.
    """
    if model == "scripted":
        if os.environ.get("GROKWEB_TEST_ENGINES", "").lower() not in {"1", "true", "yes", "on"}:
            raise ValueError(
                "GROKWEB_MODEL=scripted is for tests only; set GROKWEB_TEST_ENGINES=1 to allow it"
            )
        scripted: Engine = engine_class("scripted")(slots=slots)
        return scripted
    local: Engine = engine_class("local")(model, slots=slots, threads=threads, kept_bytes=kept_bytes)
    return local
