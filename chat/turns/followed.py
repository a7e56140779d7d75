"""The reply that a socket follows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Followed:
    """Names the reply to which a token log belongs, as the frames of a socket do."""

    message_id: str
    reply_id: str  # the generation of the reply's first step, whichever step the log is of
    step: int
    model: str
