"""Our network against the recorded outputs of xAI's own code on a small model (tests/data/grok1)."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from inference.grok1 import Grok1Config, Grok1ForCausalLM
from inference.grok1.model import Router
from tests.inference.grok1_golden import (
    BFLOAT16_SD,
    DATA,
    FLOAT32_SD,
    NEAR_TIE,
    PROMPTS,
    Golden,
    assert_same_greedy,
    by_class,
    by_step,
    feed,
    load_golden,
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
    loaded = AutoModelForCausalLM.from_pretrained(DATA, dtype=torch.float32)
    assert isinstance(loaded, Grok1ForCausalLM)
    return loaded.eval()


class Routes:
    """Listens to the routers: chosen experts and gates of every token, layer by layer."""

    def __init__(self, model: Grok1ForCausalLM) -> None:
        self.routers = [module for module in model.modules() if isinstance(module, Router)]
        self.seen: dict[int, list[Any]] = {i: [] for i in range(len(self.routers))}
        self.hooks = [router.register_forward_hook(self._hook(i)) for i, router in enumerate(self.routers)]

    def _hook(self, layer: int) -> Any:
        return lambda _module, _args, out: self.seen[layer].append((out[2], out[1]))

    def take(self) -> tuple[np.ndarray, np.ndarray]:
        for hook in self.hooks:
            hook.remove()
        chosen, gates = (
            [torch.cat([step[part] for step in steps]) for steps in self.seen.values()] for part in (0, 1)
        )
        return torch.stack(chosen).numpy(), torch.stack(gates).numpy()


@pytest.mark.parametrize("prompt", PROMPTS)
def test_forward_equals_reference(model: Grok1ForCausalLM, golden: Golden, prompt: str) -> None:
    assert golden[f"{prompt}/route_gap_f32"].min() > NEAR_TIE  # no tie that would excuse a difference
    routes = Routes(model)
    ours = by_class(model, *spoken(golden, prompt))
    chosen, gates = routes.take()
    assert off_by(ours, reference(golden, prompt)) < FLOAT32_SD
    assert (chosen == golden[f"{prompt}/experts_f32"]).all()
    np.testing.assert_allclose(gates, golden[f"{prompt}/gates_f32"], atol=1e-5)
    assert_same_greedy(ours, golden, prompt)


def test_residual_stream_equals_reference(model: Grok1ForCausalLM, golden: Golden) -> None:
    after: list[torch.Tensor] = []
    hooks = [
        block.register_forward_hook(lambda _m, _a, out: after.append(out[0])) for block in model.model.layers
    ]
    with torch.inference_mode():
        model(input_ids=torch.from_numpy(golden["len16/tokens"]).long()[None])
    for hook in hooks:
        hook.remove()
    theirs = golden["len16/hidden_f32"]
    np.testing.assert_allclose(torch.stack(after).numpy(), theirs, atol=1e-4 * float(theirs.std()))


@pytest.mark.parametrize("chunk", [1, 5, 64])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_step_equals_reference(model: Grok1ForCausalLM, golden: Golden, prompt: str, chunk: int) -> None:
    step = make_step(model, rows=2)
    tokens, later = spoken(golden, prompt)
    prefill = feed(step, 1, tokens, 0, hide=1, chunk=chunk)
    ours = np.concatenate([prefill, feed(step, 1, later, len(tokens), hide=0, chunk=1)])
    assert off_by(ours, reference(golden, prompt)) < FLOAT32_SD
    assert_same_greedy(ours, golden, prompt)


def test_step_with_strangers_equals_reference(model: Grok1ForCausalLM, golden: Golden) -> None:
    """All eight prompts at once, in chunks of their own size, some decoding while others are still read."""
    step = make_step(model, rows=len(PROMPTS) + 1)
    order = (3, 1, 4, 0, 7, 5, 8, 2)  # not neighbours, not in order
    chunk = dict(zip(PROMPTS, (1, 1, 7, 5, 11, 48, 3, 6), strict=True))
    tokens = {p: sum(spoken(golden, p), []) for p in PROMPTS}
    length = {p: len(golden[f"{p}/tokens"]) for p in PROMPTS}
    done = dict.fromkeys(PROMPTS, 0)
    logits: dict[str, list[torch.Tensor]] = {p: [] for p in PROMPTS}
    while any(done[p] < len(tokens[p]) for p in PROMPTS):
        ids: list[int] = []
        row: list[int] = []
        pos: list[int] = []
        hide: list[int] = []
        counts = []
        for p, place in zip(PROMPTS, order, strict=True):
            left = length[p] - done[p]
            n = min(chunk[p], left) if left > 0 else min(1, len(tokens[p]) - done[p])
            counts.append(n)
            ids += tokens[p][done[p] : done[p] + n]
            row += [place] * n
            pos += range(done[p], done[p] + n)
            hide += [int(left > 0)] * n
            done[p] += n
        out = step.step(ids, row, pos, hide, range(len(ids)))
        for p, part in zip(PROMPTS, out.split(counts), strict=True):
            logits[p].append(part)
    for p in PROMPTS:
        ours = torch.cat(logits[p]).numpy()
        assert off_by(ours, reference(golden, p)) < FLOAT32_SD, p
        assert_same_greedy(ours, golden, p)


@pytest.mark.parametrize("rows", [(0, 1, 2), (4, 0, 2)])
def test_pure_decode_of_several_rows_equals_reference(
    model: Grok1ForCausalLM, golden: Golden, rows: tuple[int, ...]
) -> None:
    prompts = ("len7", "pad_inside", "repeat")
    step = make_step(model, rows=5)
    for p, row in zip(prompts, rows, strict=True):
        feed(step, row, golden[f"{p}/tokens"].tolist(), 0, hide=1, chunk=64)
    for i in range(32):
        ids = [int(golden[f"{p}/decode_tokens"][i]) for p in prompts]
        out = step.step(ids, rows, [len(golden[f"{p}/tokens"]) + i for p in prompts], [0, 0, 0], [0, 1, 2])
        for p, ours in zip(prompts, out.numpy(), strict=True):
            assert off_by(ours[None], golden[f"{p}/decode_logits_f32"][i][None]) < FLOAT32_SD


def test_bfloat16_stays_within_its_bound(golden: Golden) -> None:
    model = AutoModelForCausalLM.from_pretrained(DATA, dtype=torch.bfloat16).eval()
    assert model.model.layers[0].moe.router.weight.dtype == torch.float32
    far: dict[str, list[float]] = {"forward": [], "step": []}
    for prompt in PROMPTS:
        theirs = reference(golden, prompt)
        for way, run in (("forward", by_class), ("step", by_step)):
            ours = run(model, *spoken(golden, prompt))
            rms = np.sqrt(np.square(ours - theirs).mean(axis=1)) / theirs.std(axis=1)
            far[way] += rms.tolist()
    assert np.median(far["forward"]) < BFLOAT16_SD
    assert np.median(far["step"]) < BFLOAT16_SD


def test_generate_follows_the_reference_path(model: Grok1ForCausalLM, golden: Golden) -> None:
    tokens = torch.from_numpy(golden["len33/tokens"]).long()[None]
    made = model.generate(tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=32, do_sample=False)
    wanted = golden["len33/greedy_tokens_f32"].tolist()
    assert made[0, tokens.shape[1] :].tolist() == wanted


def test_generate_is_unchanged_in_a_left_padded_batch(model: Grok1ForCausalLM, golden: Golden) -> None:
    """Strangers of other lengths in the batch of generate() do not change the path."""
    prompts = ("len7", "len33", "repeat")
    longest = max(len(golden[f"{p}/tokens"]) for p in prompts)
    ids, mask = torch.zeros(3, longest, dtype=torch.long), torch.zeros(3, longest, dtype=torch.long)
    for i, p in enumerate(prompts):
        n = len(golden[f"{p}/tokens"])
        ids[i, longest - n :], mask[i, longest - n :] = torch.from_numpy(golden[f"{p}/tokens"]).long(), 1
    made = model.generate(ids, attention_mask=mask, max_new_tokens=16, do_sample=False)
    for i, p in enumerate(prompts):
        assert made[i, longest:].tolist() == golden[f"{p}/greedy_tokens_f32"][:16].tolist()


def test_fused_attention_is_refused() -> None:
    for name in ("sdpa", "flash_attention_2", "flex_attention"):
        with pytest.raises((ValueError, ImportError)):
            AutoModelForCausalLM.from_pretrained(DATA, attn_implementation=name)
    model = Grok1ForCausalLM(Grok1Config.from_xai(json.loads((DATA / "xai_config.json").read_text())))
    model.config._attn_implementation = (
        "paged|eager"  # stock paged attention would drop the cap without a word
    )
    with pytest.raises(ValueError, match="cap"):
        model(input_ids=torch.tensor([[1, 2]]))


def test_config_defaults_are_the_release_and_xai_names_are_mapped() -> None:
    release = Grok1Config()
    assert (release.hidden_size, release.intermediate_size, release.num_hidden_layers) == (6144, 32768, 64)
    assert release.embedding_multiplier == pytest.approx(6144**0.5)
    small = Grok1Config.from_xai(json.loads((DATA / "xai_config.json").read_text()))
    saved = AutoConfig.from_pretrained(DATA)
    assert isinstance(saved, Grok1Config)
    assert small.intermediate_size == saved.intermediate_size == 256
    assert small.num_key_value_heads == 2
    shapes = {name: tuple(t.shape) for name, t in load_file(DATA / "model.safetensors").items()}
    assert shapes["model.layers.10.self_attn.q_proj.weight"] == (96, 48)
    assert shapes["model.layers.0.moe.experts.gate_up_proj"] == (8, 512, 48)


@pytest.mark.parametrize(
    ("ids", "row", "pos", "out_at"),
    [
        ([], [], [], []),
        ([1], [2], [0], [0]),  # no such row
        ([1], [-1], [0], [0]),
        ([1], [0], [16], [0]),  # behind the context
        ([1], [0], [-1], [0]),
        ([1], [0], [1], [0]),  # a hole: the row is empty
        ([320], [0], [0], [0]),  # no such id
        ([1, 2], [0, 0], [0, 2], [0]),  # not consecutive
        ([1, 2, 3], [0, 1, 0], [0, 0, 1], [0]),  # a row in two pieces
        ([1], [0], [0], [1]),  # no such place in the batch
        ([1, 2], [0], [0], [0]),
    ],
)
def test_step_refuses_what_is_out_of_bounds(
    model: Grok1ForCausalLM, ids: list[int], row: list[int], pos: list[int], out_at: list[int]
) -> None:
    step = make_step(model, rows=2, context=16)
    with pytest.raises(ValueError, match=r"\w"):
        step.step(ids, row, pos, [0] * len(ids), out_at)
    assert step.filled == [0, 0]


def test_a_row_is_reused_and_rewound(model: Grok1ForCausalLM) -> None:
    step = make_step(model, context=16)
    first = step.step([5, 6, 7], [0] * 3, [0, 1, 2], [1] * 3, [2])
    step.step([0, 8], [0] * 2, [3, 4], [1] * 2, [])
    again = step.step(
        [7], [0], [2], [1], [0]
    )  # back to position 2; what lay behind is forgotten, its token 0 too
    torch.testing.assert_close(first, again)
    assert step.filled == [3]
    assert not step.pads[0]
    step.reset_row(0)
    torch.testing.assert_close(step.step([5, 6, 7], [0] * 3, [0, 1, 2], [1] * 3, [2]), first)


def test_logits_may_be_changed_in_place(model: Grok1ForCausalLM) -> None:
    logits = make_step(model, context=16).step([5], [0], [0], [1], [0])
    logits[0, 0] = float("-inf")  # the engine bars ids this way
    assert logits.dtype == torch.float32
    assert logits.shape == (1, 320)
