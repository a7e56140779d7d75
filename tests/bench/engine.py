"""Our engine beside transformers' generate(): same weights, same prompt, one thread, alternating rounds."""

from __future__ import annotations

import queue
import statistics
import time
from pathlib import Path
from typing import Any

from inference.contract import Delta, Ended, Event, GenerationRequest, Sampling
from inference.engines import load_engine
from tests.bench.report import ROOT, Figure, figure

TOKENS = 64
ROUNDS = 7
MODEL = str(ROOT / "inference" / "demo" / "model")
# The one with the longest answer is taken: a small model ends early.
PROMPTS = (
    "Tell me a story about a small boat that wanted to see the other side of the lake.",
    "Hello! What can you do?",
    "Write a long story about a dog.",
    "What is GrokWeb? Explain it in detail.",
)
Times = tuple[float, float]  # tokens a second after the first token; milliseconds to the first


class Ours:
    def __init__(self, model: str) -> None:
        self.engine: Any = load_engine(model, slots=1, threads=1)
        self._events: queue.SimpleQueue[tuple[float, list[Event]]] = queue.SimpleQueue()
        self.engine.start(lambda events: self._events.put((time.perf_counter(), events)))
        self.asked = 0

    def ask(self, prompt: str, tokens: int) -> tuple[Times, list[int], int]:
        self.asked += 1
        request = GenerationRequest(
            generation_id=f"bench-{self.asked}",
            attempt=1,
            model=self.engine.slug,
            messages=({"role": "user", "content": prompt},),
            max_new_tokens=tokens,
            seed=0,
            sampling=Sampling(temperature=0.0),
            cache_key=f"bench-{self.asked}",  # a conversation of its own: nothing is kept from the last round
        )
        begun = time.perf_counter()
        self.engine.submit(request, [])
        first, last = 0.0, 0.0
        ids: list[int] = []
        while True:
            at, events = self._events.get(timeout=120)
            for event in events:
                if isinstance(event, Delta):
                    first = first or at
                    last = at
                    ids.extend(event.piece.ids)
                elif isinstance(event, Ended):
                    return measure(begun, first, last, len(ids)), ids, event.prompt_tokens


class Generate:
    """transformers as its documentation says: from_pretrained, generate(), greedy, key-value cache."""

    def __init__(self, model: str, prompt: str) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        import inference.grok1.auto  # noqa: F401 - makes the architecture known to transformers
        from inference.grok1.tokenizer import load_tokenizer

        torch.set_num_threads(1)
        self.torch = torch
        self.model = AutoModelForCausalLM.from_pretrained(
            model, dtype=torch.float32
        )  # as the engine computes
        self.prompt = load_tokenizer(Path(model)).render_chat([{"role": "user", "content": prompt}])

    def ask(self, tokens: int) -> tuple[Times, list[int]]:
        times: list[float] = []

        class Clock:
            def put(self, ids: Any) -> None:
                times.append(time.perf_counter())  # once for the prompt, then for each token

            def end(self) -> None:
                pass

        ids = self.torch.tensor([self.prompt])
        begun = time.perf_counter()
        made = self.model.generate(
            ids,
            attention_mask=self.torch.ones_like(ids),
            max_new_tokens=tokens,
            do_sample=False,
            streamer=Clock(),
        )
        answer = made[0, len(self.prompt) :].tolist()
        return measure(begun, times[1], times[-1], len(answer)), answer


def run() -> list[Figure]:
    ours = Ours(MODEL)
    prompt, known, prompt_tokens = max(
        ((prompt, *ours.ask(prompt, TOKENS)[1:]) for prompt in PROMPTS), key=lambda tried: len(tried[1])
    )
    theirs = Generate(MODEL, prompt)
    theirs.ask(len(known))
    if prompt_tokens != len(theirs.prompt):
        raise RuntimeError(f"the prompts differ: {prompt_tokens} and {len(theirs.prompt)} tokens")
    mine, others, same = [], [], []
    for number in range(ROUNDS):  # in turns, and each first as often as the other
        if number % 2:
            other, answer = theirs.ask(len(known))
            own, ids, _ = ours.ask(prompt, len(known))
        else:
            own, ids, _ = ours.ask(prompt, len(known))
            other, answer = theirs.ask(len(known))
        mine.append(own)
        others.append(other)
        same.append(float(ids == answer[: len(ids)]))
    ours.engine.stop()
    name = f"demo model, one user, {len(known)} tokens after {prompt_tokens}"
    return [
        figure(
            f"engine speed: {name}",
            [one[0] for one in mine],
            "tokens/s",
            better="higher",
            against=[one[0] for one in others],
            floor=1.0,
            aim=1.5,
        ),
        figure(
            f"engine first token: {name}",
            [one[1] for one in mine],
            "ms",
            against=[one[1] for one in others],
            aim=1.0,
        ),
        figure(
            "engine same tokens as generate()", [statistics.mean(same)], "share", better="higher", aim=1.0
        ),
    ]


def measure(begun: float, first: float, last: float, tokens: int) -> Times:
    return (tokens - 1) / (last - first), (first - begun) * 1000
