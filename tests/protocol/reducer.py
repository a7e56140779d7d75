"""The rules of docs/protocol.md for clients that are no browser: static/js/state/reducer.js in Python.

tests/protocol/test_cases.py holds both to the same table, and to each other on random frames.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

Frame = dict[str, Any]

TRIES = 2  # whole texts fetched again before the saved message is asked for


@dataclass(frozen=True, slots=True)
class State:
    """A client's state of one reply. Whenever `asks` rises, it must resume after token `resume`."""

    message_id: str = ""
    generation_id: str = ""
    seq: int = 0
    text: str = ""
    status: str = "live"
    reason: str = ""
    words: str = ""
    place: tuple[int, int | None] | None = None
    resume: int | None = None
    asks: int = 0
    gap_seq: int = 0  # the number that showed the hole
    tries: int = 0
    broken: bool = False
    saved: bool = False


def apply(state: State, frame: Frame) -> State:
    """The state after `frame` (token, queued, done or message); the same object if nothing changed."""
    about = frame.get("message_id") or frame.get("message", {}).get("id")
    if state.status != "live" or about != state.message_id:
        return state
    if frame["type"] == "message":
        return _saved(state, frame["message"])
    generation_id = frame.get("generation_id")
    if generation_id and state.generation_id and generation_id != state.generation_id:
        return state
    if frame["type"] == "token":
        return _token(state, frame)
    if frame["type"] == "queued":
        return replace(state, place=(frame["position"], frame["estimate"]))
    if frame["type"] == "done":
        return _done(state, frame)
    return state


def reconnected(state: State) -> State:
    """A new connection is asked from the last number held; what the old one was asked for is void."""
    return replace(state, resume=None)


def is_whole(state: State, done: Frame) -> bool:
    """Whether the text held is the one that `done` vouches for."""
    digest = hashlib.sha256(state.text.encode()).hexdigest()
    return (len(state.text), digest) == (done["length"], done["sha256"])


def _token(state: State, frame: Frame) -> State:
    if frame["seq"] <= state.seq:  # a replay, or the log was written again in other pieces
        return state if state.resume is None else replace(state, resume=None)
    if frame["after"] == state.seq:
        return _added(state, frame, state.text + frame["text"])
    if frame["after"] == 0:  # Redis lost data: the text starts again
        return _added(state, frame, frame["text"])
    if state.resume is not None and frame["after"] >= state.gap_seq:
        return state  # on its way behind the piece that showed the hole
    return _ask(state, state.seq, frame["seq"])


def _added(state: State, frame: Frame, text: str) -> State:
    return replace(state, seq=frame["seq"], text=text, place=None, resume=None)


def _ask(state: State, resume: int, gap_seq: int) -> State:
    return replace(state, resume=resume, gap_seq=gap_seq, asks=state.asks + 1)


def _done(state: State, frame: Frame) -> State:
    ended = replace(
        state,
        status=frame["status"],
        reason=frame.get("reason") or "",
        words=frame.get("words") or "",
        place=None,
        resume=None,
    )
    lacks = frame["seq"] > state.seq
    if not lacks and is_whole(state, frame):
        return ended
    if state.tries == TRIES:
        return replace(ended, broken=True)  # the saved message is the truth
    again = replace(state, tries=state.tries + 1)
    if lacks:
        return _ask(again, state.seq, frame["seq"])
    return _ask(replace(again, seq=0, text=""), 0, frame["seq"])


def _saved(state: State, message: Frame) -> State:
    """It ended while nobody looked: the saved text, whole, with what it continues."""
    if message["status"] == "live":
        return state
    generation = message.get("generation") or {}
    return replace(
        state,
        status=message["status"],
        reason=message.get("reason") or "",
        text=message["text"],
        seq=generation.get("seq", state.seq),
        place=None,
        resume=None,
        saved=True,
    )
