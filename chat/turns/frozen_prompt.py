"""Names what the prompt of a step was made of, without any text of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from chat.turns.struct_field import StructField
from inference.contract import without_thoughts


class FrozenPrompt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Stores which messages a prompt consists of, so that every attempt of a step gets the same ones.

    A branch never changes above a message, so the question and a number name its messages; the system text is
    in the parameters. Rows of earlier versions have neither number nor hash.
    """

    messages: int = 0  # of the branch, up to the question and with it
    left_out: tuple[UUID, ...] = ()  # those of them that were hidden
    pinned: tuple[UUID, ...] = ()  # those of the branch that were pinned
    summary: UUID | None = None  # the version that stands for the oldest of them
    sha256: str = ""  # of the whole prompt as JSON, without thoughts of earlier steps: few servers get those
    # Earlier steps whose thoughts were sent, as the worker reports when the step has ended; None: it did not
    thoughts: int | None = None
    sees: bool = False  # whether the model saw images when the prompt was made first
    images: int = 0  # of the prompt
    images_left_out: int = 0  # of the branch: the model does not see them, or there are too many


class FrozenPromptField(StructField):
    struct = FrozenPrompt


def digest(messages: Sequence[dict[str, Any]]) -> str:
    return hashlib.sha256(msgspec.json.encode(without_thoughts(messages))).hexdigest()
