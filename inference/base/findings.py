"""Defines a piece of text that a rule found, for rules in the chat and in the model workers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`start` and `end` count characters in the chat, and bytes of UTF-8 in a worker's reply."""

    start: int
    end: int
    kind: str = ""  # of what was found, for previews and masks: "github_token"; a plain pattern has none
