"""Numbers the tokens of a reply for pages, across its steps.

Token n of step s has number s * STEP + n: the numbers grow through the reply, with gaps between its steps,
and each says which log it comes from. A reply of one step is numbered 1, 2, 3, …
"""

from __future__ import annotations

STEP = 10**9  # more tokens than any step has; eight steps stay below 2**53, which JavaScript counts exactly


def number_of(step: int, tokens: int) -> int:
    """Returns the number of the last of the first `tokens` tokens of a step."""
    return step * STEP + tokens


def place_of(number: int) -> tuple[int, int]:
    """Returns the step and the number of tokens of it that a client holds."""
    return divmod(number, STEP)
