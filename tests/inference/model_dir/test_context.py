"""A context is as long as the model's, GROKWEB_CONTEXT, or what fits the memory; refusals say what helps."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path

import pytest

from inference.engines import load_engine
from inference.model_dir.admission import ensure_memory, fit_context, needed_bytes
from inference.model_dir.describe import ModelFiles, ModelUnusable, describe
from tests.inference.hf_folders import make_folder

DEMO = Path(__file__).parents[3] / "inference" / "demo" / "model"
GB = 10**9


def sized(weights: int, context: int = 32_768, cached_numbers: int = 65_536) -> ModelFiles:
    """Describes a model whose cache takes 256 kB a token (8.6 GB for a whole context)."""
    return replace(
        describe(DEMO), name="Big", stored={"F32": weights}, context=context, cached_numbers=cached_numbers
    )


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("context") / "model")


def test_everything_fits(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="inference.model_dir.admission"):
        assert fit_context(sized(GB), 4, free=40 * GB).context == 32_768
    assert "Big is served with a context of 32768 tokens; its longest is 32768" in caplog.text


def test_the_longest_that_fits_is_taken_and_stated(caplog: pytest.LogCaptureFixture) -> None:
    files = sized(GB)
    contexts = [fit_context(files, 4, free=free * GB).context for free in (35, 20, 10, 4)]
    assert contexts[0] < 32_768
    assert contexts == sorted(contexts, reverse=True)
    assert len(set(contexts)) == 4
    for context, free in zip(contexts, (35, 20, 10, 4), strict=True):
        assert context % 256 == 0
        assert 0.8 * free * GB < needed_bytes(replace(files, context=context), 4) <= free * GB
    assert re.search(
        rf"Big is served with a context of {contexts[-1]} tokens: its longest, 32768, needs 35.7 GB for 4 "
        r"conversations, and 4.0 GB are free. GROKWEB_CONTEXT sets it; with fewer GROKWEB_SLOTS it is longer",
        caplog.text,
    )


@pytest.mark.parametrize("requested", [600, 10_000])
def test_a_context_that_is_set_is_served_up_to_the_longest(requested: int) -> None:
    assert fit_context(sized(GB), 4, requested, free=100 * GB).context == requested
    assert fit_context(sized(GB), 4, requested, free=GB).context == requested  # the refusal follows
    assert fit_context(sized(GB, context=512), 4, requested, free=100 * GB).context == 512


@pytest.mark.parametrize(
    ("weights", "free", "slots", "words"),
    [
        (GB, 10, 4, "GROKWEB_CONTEXT=8192 (now 32768) or GROKWEB_SLOTS=1 (now 4) would fit"),
        (GB, 10, 1, None),
        (GB, 20, 4, "GROKWEB_CONTEXT=17664 (now 32768) or GROKWEB_SLOTS=2 (now 4) would fit"),
        (9 * GB, 10, 256, "GROKWEB_SLOTS=1 with GROKWEB_CONTEXT=512 would fit"),
        (
            30 * GB,
            10,
            4,
            "its weights alone take 30.3 GB, so neither GROKWEB_CONTEXT nor GROKWEB_SLOTS would",
        ),
    ],
)
def test_a_refusal_names_the_settings_that_would_help(
    weights: int, free: int, slots: int, words: str | None
) -> None:
    files = sized(weights)
    if words is None:
        ensure_memory(files, slots, free=free * GB)
        return
    with pytest.raises(ModelUnusable) as refused:
        ensure_memory(files, slots, free=free * GB)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    for context, fewer in re.findall(r"GROKWEB_CONTEXT=(\d+) \(now.*GROKWEB_SLOTS=(\d+)", str(refused.value)):
        ensure_memory(replace(files, context=int(context)), slots, free=free * GB)
        ensure_memory(files, int(fewer), free=free * GB)


@pytest.mark.parametrize("folder", ["grok-1", "stock"])
def test_an_engine_reads_as_much_as_is_set(folder: str, stock: Path) -> None:
    path = DEMO if folder == "grok-1" else stock
    engine = load_engine(str(path), slots=1, threads=1, context=200)
    assert engine.context == 200
    assert engine.metrics()["cache_size"] == 200
    assert load_engine(str(path), slots=1, threads=1).context == describe(path).context


def test_an_engine_reads_what_the_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    files = describe(DEMO)
    short = needed_bytes(replace(files, context=900), 8, packed=True)
    monkeypatch.setattr("inference.model_dir.admission.free_memory", lambda: short)
    assert load_engine(str(DEMO), slots=8, threads=1).context in (
        512,
        768,
    )  # with torch, with the native step
