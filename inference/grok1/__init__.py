"""Grok-1. Importing a class of this package registers all of them with transformers as model_type "grok1".

The classes are loaded on first use: transformers' Auto classes cost seconds, and serving needs none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inference.grok1.auto import Grok1Config, Grok1ForCausalLM, Grok1Model, Grok1Tokenizer

__all__ = ["Grok1Config", "Grok1ForCausalLM", "Grok1Model", "Grok1Tokenizer"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("inference.grok1.auto"), name)
