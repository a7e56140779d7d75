"""Applies the rules of docs/protocol.md, as static/js/state/reducer.js does, for clients that are no browser.

tests/protocol/test_cases.py holds both to the same table, and to each other on random frames.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

Frame = dict[str, Any]

STEP = 10**9  # numbers of one step
TRIES = 2  # whole texts fetched again before the saved message is asked for


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive tokens of one kind."""

    kind: str
    after: int  # number of the token before it
    text: str


@dataclass(frozen=True, slots=True)
class State:
    """Holds a client's state of one reply. Whenever `asks` rises, it must resume after token `resume`."""

    message_id: str = ""
    generation_id: str = ""
    run: int = 0
    seq: int = 0
    parts: tuple[Part, ...] = ()  # all tokens held, in order
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
    calls: tuple[Frame, ...] = ()  # of tools, in order

    @property
    def text(self) -> str:
        """Returns the text of the answer."""
        return "".join(part.text for part in self.parts if part.kind == "text")

    @property
    def everything(self) -> str:
        """Returns the text of all kinds, in order."""
        return "".join(part.text for part in self.parts)


def apply(state: State, frame: Frame) -> State:
    """Returns the state after `frame` (token, queued, call, done or message); the same object if nothing
    changed.
    """
    about = frame.get("message_id") or frame.get("message", {}).get("id")
    if state.status != "live" or about != state.message_id:
        return state
    if frame["type"] == "message":
        return _saved(state, frame["message"])
    generation_id = frame.get("generation_id")
    if generation_id and state.generation_id and generation_id != state.generation_id:
        return state
    if frame["type"] == "call":
        return _called(state, frame["call"])
    if frame["type"] == "queued":
        return replace(state, place=(frame["position"], frame["estimate"]))
    if frame["type"] not in ("token", "done") or frame.get("run", 0) < state.run:
        return state
    if (run := frame.get("run", 0)) > state.run:
        state = _started_again(state, run, frame)
    return _token(state, frame) if frame["type"] == "token" else _done(state, frame)


def _called(state: State, call: Frame) -> State:
    """A call is new, or has a newer state."""
    known = next((each for each in state.calls if each["id"] == call["id"]), None)
    if known is not None and known["version"] >= call["version"]:
        return state
    calls = [*(each for each in state.calls if each["id"] != call["id"]), call]
    return replace(state, calls=tuple(sorted(calls, key=lambda each: (each["step"], each["position"]))))


def _started_again(state: State, run: int, frame: Frame) -> State:
    """The step that the frame is of starts again with other words: what is held of it is dropped."""
    first = frame.get("after", frame["seq"]) // STEP * STEP
    kept = tuple(part for part in state.parts if part.after < first)
    return replace(state, run=run, parts=kept, seq=min(state.seq, first), resume=None, tries=0)


def reconnected(state: State) -> State:
    """A new connection is asked from the last number held; what the old one was asked for is void."""
    return replace(state, resume=None)


def is_whole(state: State, done: Frame) -> bool:
    """Returns whether the text held is the one that `done` vouches for."""
    digest = hashlib.sha256(state.everything.encode()).hexdigest()
    return (len(state.everything), digest) == (done["length"], done["sha256"])


def _token(state: State, frame: Frame) -> State:
    if frame["seq"] <= state.seq:  # a replay, or the log was written again in other pieces
        return state if state.resume is None else replace(state, resume=None)
    if frame["after"] == state.seq:
        return _added(state, frame)
    for at, part in enumerate(state.parts):
        if part.after == frame["after"]:  # Redis lost data: the text starts again with this part
            return _added(replace(state, parts=state.parts[:at]), frame)
    if state.resume is not None and frame["after"] >= state.gap_seq:
        return state  # on its way behind the piece that showed the hole
    return _ask(state, state.seq, frame["seq"])


def _added(state: State, frame: Frame) -> State:
    part = Part(frame.get("kind", "text"), frame["after"], frame["text"])
    parts = state.parts
    if parts and parts[-1].kind == part.kind:
        part = replace(parts[-1], text=parts[-1].text + part.text)
        parts = parts[:-1]
    return replace(state, seq=frame["seq"], parts=(*parts, part), place=None, resume=None)


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
    return _ask(replace(again, seq=0, parts=()), 0, frame["seq"])


def _saved(state: State, message: Frame) -> State:
    """It ended while nobody looked: the saved text, whole, with what it continues."""
    if message["status"] == "live":
        return state
    generation = message.get("generation") or {}
    return replace(
        state,
        status=message["status"],
        reason=message.get("reason") or "",
        parts=_parts_of(message),
        seq=generation.get("seq", state.seq),
        place=None,
        resume=None,
        saved=True,
        calls=tuple(message.get("calls", ())),
    )


def _parts_of(message: Frame) -> tuple[Part, ...]:
    """Returns the parts of a saved message, text and others, in order."""
    text, parts, place = message["text"], [], 0
    for part in message.get("parts", ()):
        parts += [Part("text", 0, text[place : part["offset"]]), Part(part["kind"], 0, part["text"])]
        place = part["offset"]
    parts.append(Part("text", 0, text[place:]))
    return tuple(part for part in parts if part.text)
