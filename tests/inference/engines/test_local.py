"""The local engine with the demo model: the real tokenizer, the real network, the real thread."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from inference.contract import Delta, Ended, ErrorCode, Reason, Sampling
from inference.engines import load_engine
from inference.engines.local import LocalEngine, weights_hash
from inference.grok1 import Grok1ForCausalLM
from inference.grok1.tokenizer import load_tokenizer
from inference.model_dir.describe import ModelUnusable
from tests.inference.engine_fakes import request
from tests.inference.listening import Listener, unexpected

DEMO = Path(__file__).resolve().parents[3] / "inference" / "demo" / "model"
TIE = 1e-3  # logits this near may change places between batched and single arithmetic


@pytest.fixture(scope="module")
def engine() -> Iterator[Any]:
    engine = LocalEngine(DEMO, slots=4, threads=1, exit=unexpected)
    engine.heard = Listener()
    engine.start(engine.heard)
    yield engine
    engine.stop()


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(DEMO)


def ask(engine: Any, content: Any, name: str, *, emitted: tuple[Any, ...] = (), **fields: Any) -> None:
    engine.submit(request(content, name, **({"max_new_tokens": 24} | fields)), emitted)


def test_it_describes_the_model(engine: Any) -> None:
    assert (engine.slug, engine.slots) == ("grokweb-demo", 4)
    precision = engine.fingerprint.removeprefix(f"{weights_hash(DEMO)} {engine.back_end} ")
    assert precision in {"int8 by int16", "int8 by int8"}  # the latter with VNNI
    assert engine.back_end.startswith(("native-", f"torch-{torch.__version__}"))


@torch.inference_mode()
def test_greedy_follows_the_network(engine: Any, tokenizer: Any) -> None:
    """Against the transformers class, one whole forward pass over the finished reply."""
    ask(engine, "What is the capital of France?", "france")
    ids, text, end = engine.heard.end("france")
    prompt = tokenizer.render_chat([{"role": "user", "content": "What is the capital of France?"}])
    assert end.prompt_tokens == len(prompt)
    whole = torch.tensor([[*prompt, *ids]])
    logits = Grok1ForCausalLM.from_pretrained(DEMO, dtype=torch.float32)(whole).logits[
        0, len(prompt) - 1 :
    ]  # (1 + n, V)
    logits[:, sorted(tokenizer.never_sample)] = -torch.inf
    said = logits[range(len(ids)), list(ids)]
    assert (logits[: len(ids)].max(-1).values - said).max() < TIE
    if end.reason is Reason.STOP:
        assert logits[-1].argmax().item() in tokenizer.stop_ids
    assert text == tokenizer.decode(ids)


def test_ids_decode_to_the_text_with_the_models_own_tokenizer(engine: Any, tokenizer: Any) -> None:
    """At a high temperature: half characters, bytes that are no UTF-8, odd spaces."""
    hot = Sampling(temperature=5.0, top_p=1.0)
    for i in range(4):
        ask(engine, "Say anything.", f"hot{i}", seed=i, sampling=hot, max_new_tokens=60)
    for i in range(4):
        ids, text, end = engine.heard.end(f"hot{i}")
        assert text == tokenizer.decode(ids)
        assert not set(ids) & (tokenizer.never_sample | tokenizer.stop_ids)
        assert end.seq == len(ids)


@pytest.mark.parametrize("sampling", [Sampling(0), Sampling()])
def test_a_resumed_reply_equals_the_undisturbed_one(engine: Any, sampling: Any) -> None:
    """Plain torch promises this but for near-ties; these prompts have none."""
    warm = f"whole{sampling.temperature}"
    ask(engine, "Tell me about cats.", warm, sampling=sampling)
    ids, text, _ = engine.heard.end(warm)
    log = [event for event in engine.heard.events[warm] if isinstance(event, Delta)]
    for cut in range(0, len(log), 5):
        after, name = log[cut].piece.seq, f"{warm}-{cut}"
        ask(engine, "Tell me about cats.", name, emitted=ids[:after], sampling=sampling)
        more, rest, _ = engine.heard.end(name, after)
        assert ids[:after] + more == ids
        assert "".join(delta.piece.text for delta in log[: cut + 1]) + rest == text


def test_a_long_prompt_fails_and_a_cancelled_reply_stops(engine: Any) -> None:
    ask(engine, "word " * 5000, "long")
    assert engine.heard.end("long")[2].error == ErrorCode.TOO_LONG
    ask(engine, "Tell me a very long story.", "stopped", sampling=Sampling(5.0), max_new_tokens=900)
    engine.heard.until(lambda events: events["stopped"])
    engine.cancel("stopped")
    assert engine.heard.end("stopped")[2].reason is Reason.STOPPED


def test_a_broken_step_costs_only_its_batch(engine: Any) -> None:
    scheduler = engine._scheduler

    class Broken:
        def step(self, *batch: Any) -> None:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")

    scheduler._step = Broken()
    ask(engine, "Hello", "broken")
    assert engine.heard.end("broken")[2].error == ErrorCode.OUT_OF_MEMORY
    ask(engine, "Hello", "again")
    assert engine.heard.end("again")[1]


def test_every_request_had_one_end(engine: Any) -> None:
    assert all(
        [isinstance(event, Ended) for event in events] == [False] * (len(events) - 1) + [True]
        for events in engine.heard.events.values()
    )


def test_a_folder_that_cannot_be_served_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match="no such folder"):
        load_engine(str(tmp_path / "nothing"), slots=1, threads=1)


def test_the_hash_tells_weights_of_one_shape_apart(tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path / "copy")
    assert weights_hash(tmp_path / "copy") == weights_hash(DEMO)
    weights = tmp_path / "copy" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    assert weights_hash(tmp_path / "copy") != weights_hash(DEMO)


@pytest.mark.parametrize("words", [3, 8])
def test_a_begun_answer_is_continued_with_the_same_words(engine: Any, words: int) -> None:
    """Greedy, cut at a word: what follows is what the whole answer had there, its space included."""
    question = "Write a story about a robot who wanted to be a painter."
    ask(engine, question, f"whole{words}", max_new_tokens=40)
    _, whole, _ = engine.heard.end(f"whole{words}")
    begun = " ".join(whole.split(" ")[:words])
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": begun})
    ask(engine, question, f"rest{words}", messages=messages, max_new_tokens=20)
    _, rest, _ = engine.heard.end(f"rest{words}")
    assert rest
    assert whole.startswith((begun + rest)[: len(whole)])
