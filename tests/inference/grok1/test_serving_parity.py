"""Parity with xAI's code where the service differs from one conversation run from its beginning.

Kept prefixes, rows that held somebody else's conversation before, strangers of other lengths in the batch,
and the scheduler that puts all of this together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from inference.contract import Reason
from inference.core.scheduler import Scheduler
from inference.grok1 import Grok1ForCausalLM
from inference.grok1.network import Constants, Network
from inference.grok1.step import TorchStep, whole
from tests.inference.engine_fakes import outcome, request
from tests.inference.grok1_golden import (
    FLOAT32_SD,
    PROMPTS,
    Golden,
    assert_same_greedy,
    build,
    by_step,
    feed,
    load_config,
    load_golden,
    load_int8,
    load_weights,
    make_step,
    off_by,
    reference,
    spoken,
)


@pytest.fixture(scope="module")
def golden() -> Golden:
    return load_golden()


@pytest.fixture(scope="module")
def model() -> Grok1ForCausalLM:
    return build(load_config(), load_weights())


@pytest.fixture(scope="module")
def int8() -> Network:
    return Network.from_tensors(Constants.of(load_config()), load_int8(), exact=True)


# -- the engine's step ---------------------------------------------------------------------


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_cached_prefix_is_continued(model: Grok1ForCausalLM, golden: Golden, prompt: str) -> None:
    """The row holds the beginning and then something else; the next turn feeds only what is new to it."""
    tokens, later = spoken(golden, prompt)
    kept = len(tokens) // 2
    step = make_step(model)
    first = feed(step, 0, tokens[:kept], 0, hide=1, chunk=64) if kept else np.zeros((0, 320), np.float32)
    feed(step, 0, [7, 0, 9, 0, 11], kept, hide=0, chunk=5)  # an answer that was thrown away, padding in it
    rest = feed(step, 0, tokens[kept:], kept, hide=1, chunk=7)
    ours = np.concatenate([first, rest, feed(step, 0, later, len(tokens), hide=0, chunk=1)])
    assert off_by(ours, reference(golden, prompt)) < FLOAT32_SD
    assert_same_greedy(ours, golden, prompt)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_an_answer_is_fed_again_with_its_prompt(model: Grok1ForCausalLM, golden: Golden, prompt: str) -> None:
    """A resumed generation: prompt and emitted tokens in one chunk, each with its own `hide_pad`."""
    tokens, later = spoken(golden, prompt)
    ids, half = tokens + later, len(later) // 2
    n = len(tokens) + half
    step = make_step(model)
    whole = step.step(ids[:n], [0] * n, list(range(n)), [1] * len(tokens) + [0] * half, list(range(n)))
    ours = np.concatenate([whole.numpy(), feed(step, 0, ids[n:], n, hide=0, chunk=1)])
    assert off_by(ours, reference(golden, prompt)) < FLOAT32_SD


@pytest.mark.parametrize("chunk", [3, 64])
def test_one_row_serves_one_conversation_after_another(
    model: Grok1ForCausalLM, golden: Golden, chunk: int
) -> None:
    """Longer and shorter ones, with and without padding, without a reset between them."""
    step = make_step(model)
    for prompt in ("len48", "pad_inside", "len1", "repeat", "len2", "len33", "pad_inside", "len7", "len16"):
        tokens, later = spoken(golden, prompt)
        prefill = feed(step, 0, tokens, 0, hide=1, chunk=chunk)
        ours = np.concatenate([prefill, feed(step, 0, later, len(tokens), hide=0, chunk=1)])
        assert off_by(ours, reference(golden, prompt)) < FLOAT32_SD, prompt


@pytest.mark.parametrize("prompt", PROMPTS)
def test_xais_own_integers_and_scales_give_the_same_scores(
    golden: Golden, int8: Network, prompt: str
) -> None:
    """Unrounded int8 times scale in the step, as in xAI's float32 run."""
    ours = by_step(int8, *spoken(golden, prompt))
    assert off_by(ours, reference(golden, prompt)) < FLOAT32_SD
    assert_same_greedy(ours, golden, prompt)


@pytest.mark.parametrize("weights", ["float32", "int8"])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_experts_chosen_without_the_host_give_the_same_scores(
    model: Grok1ForCausalLM, golden: Golden, int8: Network, prompt: str, weights: str
) -> None:
    """The way of GPUs, here on a CPU: prompt in chunks and decoding."""
    tokens, later = spoken(golden, prompt)
    network = int8 if weights == "int8" else Network.from_model(model)
    step = TorchStep(network, rows=1, context=128, on_device=True)
    ours = np.concatenate(
        [feed(step, 0, tokens, 0, hide=1, chunk=20), feed(step, 0, later, len(tokens), hide=0, chunk=1)]
    )
    assert off_by(ours, reference(golden, prompt)) < FLOAT32_SD
    assert_same_greedy(ours, golden, prompt)


def test_experts_are_not_copied_for_it(model: Grok1ForCausalLM) -> None:
    layer = Network.from_model(model).layers[0]
    assert whole(layer.down).data_ptr() == layer.down[0].data_ptr()
    mixed = whole(layer.down[::-1])  # in another order they have to be
    assert torch.equal(mixed[0], layer.down[-1])


# -- the transformers class ----------------------------------------------------------------


@torch.inference_mode()
def test_the_class_gives_the_same_scores_in_a_left_padded_batch(
    model: Grok1ForCausalLM, golden: Golden
) -> None:
    """All prompts at once, prefill and decode; the padding in front is hidden and counts no position."""
    lengths = [len(golden[f"{p}/tokens"]) for p in PROMPTS]
    longest, steps = max(lengths), min(len(golden[f"{p}/decode_tokens"]) for p in PROMPTS)
    ids, mask = torch.zeros(2, len(PROMPTS), longest, dtype=torch.long)
    for i, p in enumerate(PROMPTS):
        ids[i, longest - lengths[i] :], mask[i, longest - lengths[i] :] = (
            torch.tensor(spoken(golden, p)[0]),
            1,
        )
    place = (mask.cumsum(1) - 1).clamp(min=0)
    out = model(input_ids=ids, attention_mask=mask, position_ids=place)
    logits = [[out.logits[i, longest - lengths[i] :]] for i in range(len(PROMPTS))]
    for n in range(steps):
        fed = torch.tensor([[int(golden[f"{p}/decode_tokens"][n])] for p in PROMPTS])
        mask = torch.cat((mask, torch.ones_like(fed)), dim=1)
        at = torch.tensor(lengths)[:, None] + n
        cache = out.past_key_values
        out = model(input_ids=fed, attention_mask=mask, position_ids=at, past_key_values=cache)
        for i, parts in enumerate(logits):
            parts.append(out.logits[i])
    for parts, p, length in zip(logits, PROMPTS, lengths, strict=True):
        assert off_by(torch.cat(parts).numpy(), reference(golden, p)[: length + steps]) < FLOAT32_SD, p


@pytest.mark.parametrize("prompt", PROMPTS[2:])
@torch.inference_mode()
def test_the_class_continues_a_kept_prefix(model: Grok1ForCausalLM, golden: Golden, prompt: str) -> None:
    """A prompt in two calls through one cache, which was cut back to the prefix in between."""
    tokens = torch.tensor([spoken(golden, prompt)[0]])
    t, kept = tokens.shape[1], tokens.shape[1] // 2
    # The class hides the padding of the call it sees it in; for that of an earlier call it is given the mask.
    hidden = torch.ones(t, t).triu(1).bool() | (tokens[0] == 0)
    mask = torch.zeros(t, t).masked_fill(hidden, torch.finfo(torch.float32).min)[None, None]
    first = model(input_ids=tokens[:, :kept])
    cache = model(input_ids=torch.tensor([[7, 9]]), past_key_values=first.past_key_values).past_key_values
    cache.crop(-2)
    padded = bool((tokens == 0).any())
    rest = model(
        input_ids=tokens[:, kept:],
        past_key_values=cache,
        attention_mask=mask[:, :, kept:] if padded else None,
    )
    ours = torch.cat((first.logits[0], rest.logits[0])).numpy()
    assert off_by(ours, golden[f"{prompt}/prefill_logits_f32"]) < FLOAT32_SD


# -- through the scheduler -------------------------------------------------------------------


class Recorder:
    """The real step for the scheduler, remembering the logits after every sequence of tokens asked for."""

    def __init__(self, step: TorchStep) -> None:
        self.inner = step
        self.held: list[list[int]] = [[] for _ in range(step.rows)]
        self.after: dict[tuple[int, ...], np.ndarray] = {}

    def step(
        self,
        ids: Sequence[int],
        row: Sequence[int],
        pos: Sequence[int],
        hide_pad: Sequence[int],
        out_at: Sequence[int],
    ) -> np.ndarray:
        logits = self.inner.step(ids, row, pos, hide_pad, out_at).numpy()
        answered = dict(zip(out_at, logits, strict=True))
        for i, (token, r, p) in enumerate(zip(ids, row, pos, strict=True)):
            self.held[r][p:] = [token]
            if i in answered:
                self.after[tuple(self.held[r])] = answered[i].copy()
        return logits


class GoldenTokenizer:
    """A message is the name of a recorded prompt; token 0 is never chosen, as in the service."""

    stop_ids: frozenset[int] = frozenset()
    stop_strings: tuple[str, ...] = ()
    never_sample = frozenset({0})
    thinker = None

    def __init__(self, golden: Golden) -> None:
        self.golden = golden

    def render_chat(self, messages: Sequence[dict[str, str]]) -> list[int]:
        return spoken(self.golden, messages[0]["content"])[0]

    def piece_bytes(self, token: int, first: bool = False) -> bytes:
        return f"{token} ".encode()


@pytest.mark.parametrize(("slots", "chunk"), [(1, 64), (3, 5), (8, 32)])
def test_the_scheduler_gives_everyone_the_recorded_answer(
    model: Grok1ForCausalLM, golden: Golden, slots: int, chunk: int
) -> None:
    """Prompts in shared chunks beside strangers who decode; rows change hands when there are few."""
    step = Recorder(make_step(model, rows=slots))
    scheduler = Scheduler(
        lambda: step,
        GoldenTokenizer(golden),
        slots=slots,
        context=128,
        vocab_size=320,
        fingerprint="golden",
        prefill_chunk=chunk,
    )
    for prompt in PROMPTS:
        scheduler.submit(
            request(prompt, prompt, max_new_tokens=len(golden[f"{prompt}/greedy_tokens_f32"])), ()
        )
    events: dict[str, list[Any]] = {prompt: [] for prompt in PROMPTS}
    while scheduler.busy:
        for event in scheduler.turn():
            events[event.generation_id].append(event)
    for prompt in PROMPTS:
        ids, _, end = outcome(events[prompt])
        assert end.reason is Reason.LENGTH
        assert list(ids) == golden[f"{prompt}/greedy_tokens_f32"].tolist(), prompt
        tokens = spoken(golden, prompt)[0]
        ours = np.stack([step.after[(*tokens, *ids[:n])] for n in range(len(ids))])
        theirs = reference(golden, prompt)[len(tokens) - 1 :][: len(ids)]
        assert off_by(ours, theirs) < FLOAT32_SD, prompt
