"""Defines the error of a choice that cannot be carried out."""

from __future__ import annotations


class Refusal(ValueError):
    """Says in one translated line what is wrong and how to proceed. Nothing was changed."""
