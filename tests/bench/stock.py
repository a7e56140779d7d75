"""Stock models of transformers in our engine beside generate(): same weights, one thread, alternating rounds.

Random weights, since only the speed is asked for; a Mixture of Experts and a dense model, some 50 million
weights each in float32. Whole replies, with reading the prompt, by seconds of the processor: both compute in
this process with one thread, so that other programs do not disturb the comparison.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.bench.many import Engine
from tests.bench.report import Figure, figure
from tests.inference.hf_folders import make_folder

ROUNDS, PEOPLE = 5, 16
QUESTION = "Tell me about the sea."
# A question, and tokens of the answer: the second is mostly reading.
SHAPES = ((QUESTION, 64), (QUESTION * 5, 32))
SIZES = {
    "hidden_size": 512,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1_024,
    "vocab_size": 16_384,
}
KINDS: Mapping[str, Mapping[str, Any]] = {
    "olmoe": {"intermediate_size": 512, "num_experts": 8, "num_experts_per_tok": 2},
    "qwen3": {"intermediate_size": 2_048, "head_dim": 64},
}


class Generate:
    """transformers as its documentation says: from_pretrained, generate(), key-value cache."""

    def __init__(self, folder: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(1)
        self.model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self._tokenizer = AutoTokenizer.from_pretrained(folder)

    def prompt(self, question: str) -> Any:
        """Returns ids [1, T]."""
        messages = [{"role": "user", "content": question}]
        made = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_dict=True, return_tensors="pt"
        )
        return made["input_ids"]

    def speed(self, question: str, tokens: int) -> float:
        begun = time.process_time()
        prompt = self.prompt(question)
        self.model.generate(
            prompt,
            attention_mask=prompt.new_ones(prompt.shape),
            min_new_tokens=tokens,
            max_new_tokens=tokens,
            do_sample=False,
        )
        return tokens / (time.process_time() - begun)


def speed(engine: Engine, people: int, question: str, tokens: int) -> float:
    """Returns tokens a second of so many replies at once."""
    begun = time.process_time()
    names = [engine.submit(question, tokens=tokens) for _ in range(people)]
    engine.until_ends(names)
    return sum(engine.made[name] for name in names) / (time.process_time() - begun)


def compare(kind: str) -> list[Figure]:
    with tempfile.TemporaryDirectory() as place:
        folder = make_folder(Path(place) / kind, kind, sizes=SIZES | dict(KINDS[kind]))
        theirs, engine = Generate(folder), Engine(folder, slots=PEOPLE)
        try:
            return [each for shape in SHAPES for each in compare_shape(kind, theirs, engine, *shape)]
        finally:
            engine.engine.stop()


def compare_shape(kind: str, theirs: Generate, engine: Engine, question: str, tokens: int) -> list[Figure]:
    theirs.speed(question, tokens)
    speed(engine, PEOPLE, question, tokens)  # both warm
    one, sixteen, alone = [], [], []
    for _ in range(ROUNDS):
        one.append(speed(engine, 1, question, tokens))
        alone.append(theirs.speed(question, tokens))
        sixteen.append(speed(engine, PEOPLE, question, tokens))
    words = {"unit": "tokens/s", "better": "higher", "against": alone}
    name = f"stock {kind}, {tokens} tokens after {theirs.prompt(question).shape[1]}"
    return [
        figure(f"{name}: one reply against generate()", one, floor=1.0, aim=1.5, **words),
        figure(
            f"{name}: {PEOPLE} at once against generate()",
            sixteen,
            floor=3.0,
            aim=6.0,
            **words,
        ),
    ]


def run() -> list[Figure]:
    return [each for kind in KINDS for each in compare(kind)]
