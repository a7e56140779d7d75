"""Many people on one engine: the network of `steps` in int8, one thread.

Random weights never choose the end of a turn on purpose; replies are as long as they may be.
"""

from __future__ import annotations

import queue
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inference.contract import Delta, Ended, Event, GenerationRequest, Sampling
from tests.bench.loading import make_folder
from tests.bench.report import Figure, figure
from tests.bench.steps import SIZES

ROUNDS = 5
CONTEXT = 2_048
TOKENS = 32
HISTORY = 800  # tokens, about
LONG = "word " * HISTORY
Heard = tuple[float, Event]


class Engine:
    """The real engine, and what it said when."""

    def __init__(self, folder: Path, slots: int) -> None:
        from inference.engines.local import LocalEngine

        self.engine = LocalEngine(folder, slots=slots, threads=1, cache_bytes=2**28)
        self._events: queue.SimpleQueue[Heard] = queue.SimpleQueue()
        self.engine.start(
            lambda events: [self._events.put((time.perf_counter(), event)) for event in events] and None
        )
        self.asked = 0
        self.made: dict[str, int] = {}  # tokens by the name of a reply that has ended

    def submit(self, *contents: str, tokens: int = TOKENS, talk: str = "") -> str:
        """Ask; contents of user and assistant in turns."""
        self.asked += 1
        name = f"bench-{self.asked}"
        roles = ("user", "assistant")
        request = GenerationRequest(
            generation_id=name,
            attempt=1,
            model=self.engine.slug,
            messages=tuple({"role": roles[i % 2], "content": one} for i, one in enumerate(contents)),
            max_new_tokens=tokens,
            seed=self.asked,
            sampling=Sampling(temperature=1.0),
            user_key="bench",
            cache_key=talk or name,
        )
        self.engine.submit(request, [])
        return name

    def until_first(self, name: str) -> float:
        """When a reply's first text came."""
        return self._until(lambda event: isinstance(event, Delta) and event.generation_id == name)

    def until_ends(self, names: Sequence[str]) -> float:
        """When the last of these replies ended."""
        left, at = set(names), 0.0
        while left:
            at = self._until(lambda event: isinstance(event, Ended) and event.generation_id in left, left)
        return at

    def _until(self, wanted: Any, left: set[str] | None = None) -> float:
        while True:
            at, event = self._events.get(timeout=300)
            if isinstance(event, Ended):
                self.made[event.generation_id] = event.seq
            if wanted(event):
                if left is not None:
                    left.discard(event.generation_id)
                return at


def first_token(engine: Engine, *contents: str, talk: str = "") -> float:
    """Seconds to the first text of a reply, which is then heard to its end."""
    begun = time.perf_counter()
    name = engine.submit(*contents, talk=talk, tokens=8)
    first = engine.until_first(name) - begun
    engine.until_ends([name])
    return first


def second_turns(engine: Engine) -> Figure:
    """First token of turn 2 beside the same prompt of a conversation that is new."""
    warm, cold = [], []
    for number in range(ROUNDS):
        talk = f"talk-{number}"
        first_token(engine, LONG, talk=talk)
        turn = (LONG, "an answer", "And then?")
        warm.append(first_token(engine, *turn, talk=talk) * 1000)
        cold.append(first_token(engine, *turn) * 1000)
    return figure(
        f"first token of turn 2, {HISTORY} tokens before it, against cold",
        warm,
        "ms",
        against=cold,
        floor=0.2,
        aim=0.08,
    )


def newcomers(engine: Engine) -> Figure:
    """First token of a short question while 8 others are answered, beside an engine with nothing to do."""
    busy, empty = [], []
    for _ in range(ROUNDS):
        empty.append(first_token(engine, "A short question?") * 1000)
        others = [engine.submit(f"Question {i}", tokens=400) for i in range(8)]
        for other in others:
            engine.until_first(other)
        begun = time.perf_counter()
        name = engine.submit("A short question?", tokens=4)
        busy.append((engine.until_first(name) - begun) * 1000)
        for other in others:
            engine.engine.cancel(other)
        engine.until_ends([*others, name])
    return figure(
        "newcomer's first token while 8 decode, against none", busy, "ms", against=empty, floor=3.0, aim=1.5
    )


def crowd(engine: Engine, folder: Path) -> Figure:
    """Tokens a second of 16 replies at once beside generate(), one after another."""
    import torch
    from transformers import AutoModelForCausalLM

    import inference.grok1.auto  # noqa: F401 - makes the architecture known to transformers
    from inference.grok1.tokenizer import load_tokenizer

    torch.set_num_threads(1)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    prompt = load_tokenizer(folder).render_chat([{"role": "user", "content": "Question 1"}])
    ids = torch.tensor([prompt])
    ours, theirs = [], []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        end = engine.until_ends([engine.submit(f"Question {i}") for i in range(16)])
        ours.append(16 * TOKENS / (end - begun))
        begun = time.perf_counter()
        model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            min_new_tokens=TOKENS,
            max_new_tokens=TOKENS,
            do_sample=False,
        )
        theirs.append(TOKENS / (time.perf_counter() - begun))
    return figure(
        "16 at once against generate() one after another",
        ours,
        "tokens/s",
        better="higher",
        against=theirs,
        floor=8.0,
        aim=20.0,
    )


def run() -> list[Figure]:
    from inference.grok1.quantize import quantise_folder

    with tempfile.TemporaryDirectory() as place:
        floats, int8 = Path(place) / "floats", Path(place) / "int8"
        make_folder(floats, SIZES | {"max_position_embeddings": CONTEXT, "vocab_size": 4_096})
        quantise_folder(floats, int8)
        engine = Engine(int8, slots=16)
        figures = [second_turns(engine), newcomers(engine), crowd(engine, int8)]
        engine.engine.stop()
    return figures
