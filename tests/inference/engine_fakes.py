"""Stand-ins for a model and its tokenizer: tiny, deterministic, strict about what is fed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from inference.contract import Delta, Ended, Event, GenerationRequest, Sampling
from inference.core.scheduler import Scheduler
from inference.text.detokenize import TextStream

PAD, BOS, EOS, MARK, NAN, BOOM, OOM = range(7)
PIECES = dict.fromkeys(range(7), b"") | {
    7: b"the ",
    8: b"cat ",
    9: b"sat.",
    10: b"\n",
    11: b"Hu",
    12: b"man:",
    13: "é".encode(),
    14: b"\xf0\x9f",  # the first half of many emoji
    15: b"\x98\x80",  # with 14: one of them
    16: b"\x98",
    17: b"\x80",
    18: b"END",
    19: b"E",
    20: b"N",
    21: b"D and ",
    22: b"a",
    23: b"secret",
    24: b" word",
}
VOCAB = len(PIECES)
ID = {piece: i for i, piece in PIECES.items() if piece}


class FakeTokenizer:
    """A message's content is a list of ids in decimal."""

    stop_ids = frozenset({EOS})
    never_sample = frozenset({PAD, BOS, MARK, NAN, BOOM, OOM})
    thinker = None

    def __init__(self, stop_strings: tuple[str, ...] = ()) -> None:
        self.stop_strings = stop_strings

    def render_chat(self, messages: Sequence[dict[str, str]]) -> list[int]:
        ids = [BOS]
        for message in messages:
            ids += [*map(int, message["content"].split()), MARK]
        return ids

    def piece_bytes(self, token: int, first: bool = False) -> bytes:
        return PIECES[token]


class FakeStep:
    """Keeps what was fed as a KV cache would, refuses gaps, and asks `answer` for logits.

    Token NAN in a row gives NaN logits, BOOM raises, OOM raises an out-of-memory error.
    """

    def __init__(self, rows: int, context: int, answer: Callable[[list[int], int], np.ndarray]) -> None:
        self.rows, self.context, self.answer = rows, context, answer
        self.fed: dict[int, list[tuple[int, int]]] = defaultdict(list)
        self.sizes: list[int] = []

    def step(self, ids: Any, row: Any, pos: Any, hide_pad: Any, out_at: Any) -> Any:
        assert all(type(number) is int for numbers in (ids, row, pos, hide_pad, out_at) for number in numbers)
        assert len(ids) == len(row) == len(pos) == len(hide_pad) > 0
        self.sizes.append(len(ids))
        logits = {}
        for i, (token, r, p, hide) in enumerate(zip(ids, row, pos, hide_pad, strict=True)):
            assert 0 <= r < self.rows
            assert 0 <= p < self.context
            if i == 0 or row[i - 1] != r:  # a row may begin again anywhere up to its end
                assert p <= len(self.fed[r]), f"row {r}: fed {p} after {len(self.fed[r])} tokens"
                del self.fed[r][p:]
            assert len(self.fed[r]) == p, f"row {r}: fed {p} after {len(self.fed[r])} tokens"
            self.fed[r].append((token, hide))
            if token == BOOM:
                raise RuntimeError("boom")
            if token == OOM:
                raise RuntimeError(
                    "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"
                )
            if i in out_at:
                logits[i] = self._row(r)
        return np.stack([logits[i] for i in out_at]) if logits else np.zeros((0, VOCAB), np.float32)

    def _row(self, r: int) -> np.ndarray:
        tokens = [token for token, _ in self.fed[r]]
        # An answer that became part of the next turn's prompt was fed as an answer.
        prompt = max((i + 1 for i, (_, hide) in enumerate(self.fed[r]) if hide), default=0)
        if NAN in tokens:
            return np.full(VOCAB, np.nan, np.float32)
        return self.answer(tokens, prompt)


def hashed(tokens: list[int], prompt: int) -> np.ndarray:
    """Logits that depend on every token so far and on nothing else; the end of the turn is rare."""
    seed = hashlib.sha256(bytes(str(tokens), "ascii")).digest()
    logits = np.random.default_rng(list(seed[:8])).standard_normal(VOCAB).astype(np.float32) * 2
    logits[EOS] -= 3
    return logits


def parrot(tokens: list[int], prompt: int) -> np.ndarray:
    """Repeats the last message, then ends its turn."""
    body = tokens[1 : prompt - 1]  # [BOS] first MARK second MARK ... last [MARK]
    message = body[len(body) - [*reversed(body), MARK].index(MARK) :]
    done = len(tokens) - prompt
    logits = np.zeros(VOCAB, np.float32)
    logits[message[done] if done < len(message) else EOS] = 50
    return logits


class Bench:
    """A scheduler on a FakeStep, turned by hand, with all events kept by generation."""

    def __init__(
        self,
        answer: Any = parrot,
        *,
        slots: int = 4,
        context: int = 256,
        stop_strings: tuple[Any, ...] = (),
        prefill_chunk: int = 256,
        rows: int = 0,
    ) -> None:
        self.made: list[FakeStep] = []

        def make_step() -> FakeStep:
            self.made.append(FakeStep(max(rows, slots), context, answer))
            return self.made[-1]

        self.scheduler = Scheduler(
            make_step,
            FakeTokenizer(tuple(stop_strings)),
            slots=slots,
            context=context,
            vocab_size=VOCAB,
            fingerprint="fake",
            prefill_chunk=prefill_chunk,
            rows=rows,
        )
        self.events: dict[str, list[Event]] = defaultdict(list)

    def submit(self, *asked: GenerationRequest, emitted: Sequence[int] = ()) -> Bench:
        for request in asked:
            self.scheduler.submit(request, emitted)
        return self

    def turn(self, times: int = 1) -> Bench:
        for _ in range(times):
            for event in self.scheduler.turn():
                self.events[event.generation_id].append(event)
        return self

    def drain(self, limit: int = 2000) -> Bench:
        while self.scheduler.busy:
            self.turn()
            limit -= 1
            assert limit, "the scheduler never comes to rest"
        return self

    def outcome(self, name: str = "a", after: int = 0) -> tuple[tuple[int, ...], str, Ended]:
        return outcome(self.events[name], after)


def outcome(events: list[Event], after: int = 0) -> tuple[tuple[int, ...], str, Ended]:
    """Ids, text and end of one generation, after checking every promise about numbering."""
    assert [type(e) for e in events] == [Delta] * (len(events) - 1) + [Ended], events
    ids: tuple[int, ...] = ()
    text = ""
    for delta in events[:-1]:
        assert delta.piece.after == after + len(ids)
        assert delta.piece.seq - delta.piece.after == len(delta.piece.ids) > 0
        ids, text = ids + delta.piece.ids, text + delta.piece.text
    assert events[-1].seq == after + len(ids)
    return ids, text, events[-1]


def request(content: str | Sequence[int] = "7 8 9", name: str = "a", **fields: Any) -> GenerationRequest:
    """A request whose user message is `content`, ids or text; greedy unless `sampling` says otherwise."""
    if not isinstance(content, str):
        content = " ".join(map(str, content))
    defaults = {
        "generation_id": name,
        "attempt": 1,
        "model": "fake",
        "messages": ({"role": "user", "content": content},),
        "max_new_tokens": 64,
        "seed": 7,
        "sampling": Sampling(temperature=0),
    }
    return GenerationRequest(**(defaults | fields))


def decoded(ids: Sequence[int]) -> str:
    """Decodes `ids` in one call."""
    return b"".join(PIECES[i] for i in ids).decode("utf-8", "mark_per_byte")


def streamed(
    tokens: Sequence[int], *, emitted: Sequence[int] = (), end: Any = None, **options: Any
) -> tuple[Any, ...]:
    """Push tokens through a TextStream; (ids, text, reason of an early end or the finish, rule id)."""
    stream = TextStream(FakeTokenizer().piece_bytes, emitted=emitted, **options)
    ids: tuple[int, ...] = ()
    text, reason = "", None
    for token in tokens:
        reason = stream.push(token)
        if reason:
            break
        piece = stream.take()
        if piece:
            ids, text = ids + piece.ids, text + piece.text
    reason, rule = stream.finish(reason or end)
    piece = stream.take()
    if piece:
        ids, text = ids + piece.ids, text + piece.text
    return ids, text, reason, rule
