"""The parity check sees every mistake that is easy to make with Grok-1.

Each variant here is a deliberately wrong network, held against the same reference as the right one; a variant
that passed would mean that the check is blind to it. Most show on xAI's recorded outputs. Two hide there, as
they would in the release, and are shown on weights where they matter, against `grok1_plain`:

* renormalised gates are a common factor of a token's expert outputs, and the norm behind takes it out again,
  unless those outputs are so small that its epsilon counts ("quiet": down-projections times 1e-3);
* a cap put on after the mask leaves hidden keys at -30, which nobody notices as long as some visible key is
  far above that ("loud": queries times 300, so that most scores sit at one of the caps).
"""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from inference.grok1 import Grok1Config
from tests.data.grok1 import convert
from tests.inference.grok1_golden import (
    DATA,
    FLOAT32_SD,
    NEAR_TIE,
    PROMPTS,
    Golden,
    Way,
    Weights,
    build,
    by_class,
    by_step,
    load_config,
    load_golden,
    load_weights,
    off_by,
    reference,
    spoken,
)
from tests.inference.grok1_plain import logits as plain_logits

pytestmark = pytest.mark.engines  # it checks a check: test_parity.py is what holds our network to xAI's
WAYS = {"class": by_class, "step": by_step}
XAI = json.loads((DATA / "xai_config.json").read_text())
Change = Callable[[Weights, Grok1Config, pytest.MonkeyPatch], None]


@pytest.fixture(scope="module")
def golden() -> Golden:
    return load_golden()


@pytest.fixture(scope="module")
def original() -> Weights:
    return load_weights()


# -- weights on which more shows ---------------------------------------------------------


def scaled(weights: Weights, ending: str, factor: float) -> Weights:
    return {name: t * factor if name.endswith(ending) else t for name, t in weights.items()}


@pytest.fixture(scope="module")
def answers(golden: Golden, original: Weights) -> dict[str, tuple[Weights, str, np.ndarray]]:
    """Kind of weights -> the weights, a prompt, and the right logits after each of its tokens."""
    found = {
        "recorded": (original, "len16", reference(golden, "len16")),
        "pad": (original, "pad_inside", reference(golden, "pad_inside")),
    }
    for kind, ending, factor in (("quiet", "down_proj", 1e-3), ("loud", "q_proj.weight", 300.0)):
        weights = scaled(original, ending, factor)
        theirs, gap = plain_logits({k: t.numpy() for k, t in weights.items()}, XAI, *spoken(golden, "len16"))
        assert gap > NEAR_TIE
        found[kind] = (weights, "len16", theirs)
    return found


@pytest.mark.parametrize("prompt", PROMPTS)
def test_the_plain_network_equals_xais_code(golden: Golden, original: Weights, prompt: str) -> None:
    ours, _ = plain_logits({k: t.numpy() for k, t in original.items()}, XAI, *spoken(golden, prompt))
    assert off_by(ours, reference(golden, prompt)) < FLOAT32_SD / 10


# -- the mistakes ------------------------------------------------------------------------


def renormalised_gates(weights: Weights, config: Grok1Config, patch: pytest.MonkeyPatch) -> None:
    topk = torch.Tensor.topk

    def to_one(x: torch.Tensor, k: int, dim: int = -1) -> tuple[torch.Tensor, torch.Tensor]:
        gates, chosen = topk(x, k, dim)
        return gates / gates.sum(dim, keepdim=True), chosen

    patch.setattr(torch.Tensor, "topk", to_one)


def capped_router(weights: Weights, config: Grok1Config, patch: pytest.MonkeyPatch) -> None:
    """Caps the router's logits at 30, as some public servers do; xAI's code caps attention scores only."""
    softmax = torch.Tensor.softmax

    def capped(x: torch.Tensor, dim: int) -> torch.Tensor:
        routed = x.dim() == 2 and x.shape[-1] == config.num_local_experts  # attention's scores have more axes
        return softmax(30 * torch.tanh(x / 30) if routed else x, dim)

    patch.setattr(torch.Tensor, "softmax", capped)


def exact_gelu(weights: Weights, config: Grok1Config, patch: pytest.MonkeyPatch) -> None:
    gelu = F.gelu
    patch.setattr(F, "gelu", lambda x, approximate="none": gelu(x))


def interleaved_rope(weights: Weights, config: Grok1Config, patch: pytest.MonkeyPatch) -> None:
    """Rotating neighbours is rotating halves after the dimensions of each head were sorted even, then odd."""
    d = config.head_dim
    order = torch.cat((torch.arange(0, d, 2), torch.arange(1, d, 2)))
    for name, tensor in weights.items():
        if name.endswith(("q_proj.weight", "k_proj.weight")):
            weights[name] = tensor.view(-1, d, tensor.shape[1])[:, order].reshape(tensor.shape)


def no_soft_cap(weights: Weights, config: Grok1Config, patch: pytest.MonkeyPatch) -> None:
    config.attn_logit_softcap = 1e6  # tanh is straight down there


def soft_cap_after_the_mask(weights: Weights, config: Grok1Config, patch: pytest.MonkeyPatch) -> None:
    cap, softmax = config.attn_logit_softcap, torch.Tensor.softmax
    no_soft_cap(weights, config, patch)

    def capped(x: torch.Tensor, dim: int) -> torch.Tensor:
        return softmax(cap * torch.tanh(x / cap) if x.dim() > 2 else x, dim)  # the router's have two

    patch.setattr(torch.Tensor, "softmax", capped)


def scale_after_the_cap(weights: Weights, config: Grok1Config, patch: pytest.MonkeyPatch) -> None:
    """multiplier * cap * tanh(x / cap) is c * tanh(multiplier * x / c) with c = multiplier * cap."""
    config.attn_logit_softcap *= config.attention_multiplier


def one_plus_scale(weights: Weights, config: Grok1Config, patch: pytest.MonkeyPatch) -> None:
    for name in weights:
        if "norm" in name:
            weights[name] = 1 + weights[name]


def scaled_head(weights: Weights, config: Grok1Config, patch: pytest.MonkeyPatch) -> None:
    config.output_multiplier *= config.embedding_multiplier


def unmasked_pad(weights: Weights, config: Grok1Config, patch: pytest.MonkeyPatch) -> None:
    config.pad_token_id = None


def layers_in_numeric_order(weights: Weights, config: Grok1Config, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(convert, "layer_order", lambda layers: list(range(layers)))
    weights |= convert.convert(DATA / "ckpt-0", config.num_hidden_layers)


def tiled_scales(weights: Weights, config: Grok1Config, patch: pytest.MonkeyPatch) -> None:
    """Rows 0, 1, ... 7, 0, 1, ... instead of 0, 0, ... 0, 1, 1, ..."""

    def tiled(scales: np.ndarray, rows: int) -> np.ndarray:
        return np.concatenate([scales] * (rows // scales.shape[-2]), axis=-2)

    patch.setattr(convert, "spread", tiled)
    weights |= convert.convert(DATA / "ckpt-0", config.num_hidden_layers)


def nothing_wrong(weights: Weights, config: Grok1Config, patch: pytest.MonkeyPatch) -> None:
    pass


WRONG: dict[Change, str] = {
    renormalised_gates: "quiet",
    capped_router: "recorded",
    exact_gelu: "recorded",
    interleaved_rope: "recorded",
    no_soft_cap: "recorded",
    soft_cap_after_the_mask: "loud",
    scale_after_the_cap: "recorded",
    one_plus_scale: "recorded",
    scaled_head: "recorded",
    unmasked_pad: "pad",
    layers_in_numeric_order: "recorded",
    tiled_scales: "recorded",
}


def distance(
    golden: Golden,
    answer: tuple[Weights, str, np.ndarray],
    way: Way,
    change: Change,
    patch: pytest.MonkeyPatch,
) -> float:
    weights, prompt, theirs = answer
    weights, config = dict(weights), load_config()
    change(weights, config, patch)
    return off_by(way(build(config, weights), *spoken(golden, prompt)), theirs)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["recorded", "pad", "quiet", "loud"])
def test_the_right_network_passes(
    golden: Golden,
    answers: dict[str, tuple[Weights, str, np.ndarray]],
    kind: str,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert distance(golden, answers[kind], WAYS[way], nothing_wrong, monkeypatch) < FLOAT32_SD


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("change", WRONG, ids=lambda change: change.__name__)
def test_the_check_catches_a_wrong_variant(
    golden: Golden,
    answers: dict[str, tuple[Weights, str, np.ndarray]],
    change: Change,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert distance(golden, answers[WRONG[change]], WAYS[way], change, monkeypatch) > FLOAT32_SD


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_capped_router_fails_on_every_recorded_prompt(
    golden: Golden, original: Weights, prompt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pytest -s` prints both distances, in standard deviations of the logits."""
    answer = (original, prompt, reference(golden, prompt))
    right = distance(golden, answer, by_class, nothing_wrong, monkeypatch)
    capped = distance(golden, answer, by_class, capped_router, monkeypatch)
    print(f"{prompt}: as xAI's code {right:.1e}, with a capped router {capped:.1e}")
    assert right < FLOAT32_SD < capped


def test_the_pickles_hold_the_weights_that_are_tested(original: Weights) -> None:
    read = convert.convert(DATA / "ckpt-0", XAI["num_layers"])
    assert read.keys() == original.keys()
    assert all(torch.equal(read[name], tensor) for name, tensor in original.items())
