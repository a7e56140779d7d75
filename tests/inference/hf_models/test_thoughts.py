"""Thoughts of models whose chat templates know them: what is recognised, asked for, sampled and continued."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.contract import Delta, Ended, Kind, Reason
from inference.core.scheduler import Scheduler
from inference.engines.local import LocalEngine
from inference.hf_models.tokenizer import HfTokenizer
from inference.text.thought_marks import HARMONY
from tests.inference.engine_fakes import request
from tests.inference.hf_folders import PLAIN, VOCAB, make_folder

TAGS = ("<think>", "</think>")
SWITCHED = PLAIN.replace(
    "<|a|>assistant\n{% endif",
    "<|a|>assistant\n{% if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n"
    "{% endif %}{% endif",
)
OPENED = PLAIN.replace("<|a|>assistant\n{% endif", "<|a|>assistant\n<think>\n{% endif") + "{# </think> #}"
CHANNELS = (
    "{% for m in messages %}<|start|>{{ m.role }}{% if m.role == 'assistant' %}<|channel|>final{% endif %}"
    "<|message|>{{ m.content }}<|end|>{% endfor %}Reasoning: {{ reasoning_effort }}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
ASK = [{"role": "user", "content": "one"}]


def thinking(folder: Path, template: str, added: Sequence[str] = TAGS) -> HfTokenizer:
    return HfTokenizer(make_folder(folder / "model", template=template, added=added), VOCAB)


def prompt(tokenizer: HfTokenizer, **how: Any) -> str:
    return str(tokenizer.inner.decode(tokenizer.render_chat(ASK, **how)))


class Recited:
    """A step whose most likely tokens are those of `words`, whatever it reads."""

    def __init__(self, tokenizer: HfTokenizer, words: Sequence[int], thought: str = "") -> None:
        self.size, self.words = len(tokenizer.render_chat(ASK, thought=thought)), words
        self.end = min(tokenizer.stop_ids)

    def step(self, ids: Any, row: Any, pos: Any, hide_pad: Any, out_at: Any) -> Any:
        logits = np.zeros((len(out_at), VOCAB), np.float32)
        for i, at in enumerate(out_at):
            place = pos[at] + 1 - self.size
            logits[i, self.words[place] if place < len(self.words) else self.end] = 50
        return logits


def recite(
    tokenizer: HfTokenizer, words: Sequence[int], emitted: Sequence[int] = (), thought: str = ""
) -> tuple[list[Delta], Ended]:
    scheduler = Scheduler(
        lambda: Recited(tokenizer, words, thought),
        tokenizer,
        slots=1,
        context=256,
        vocab_size=VOCAB,
        fingerprint="recited",
    )
    scheduler.submit(request("one", thought=thought), emitted)
    events: list[Any] = []
    while scheduler.busy:
        events += scheduler.turn()
    return events[:-1], events[-1]


def text_of(deltas: Sequence[Delta], kind: Kind) -> str:
    return "".join(delta.piece.text for delta in deltas if delta.piece.kind is kind)


@pytest.mark.parametrize("added", [TAGS, ()], ids=["one token", "spelled"])
def test_a_thought_and_its_answer_come_apart_and_resume_at_every_token(
    tmp_path: Path, added: Sequence[str]
) -> None:
    tokenizer = thinking(tmp_path, SWITCHED, added)
    words = tokenizer.inner("<think>\none two\n</think>\n\nthree", add_special_tokens=False).input_ids
    deltas, ended = recite(tokenizer, words)
    assert text_of(deltas, Kind.THOUGHT) == "one two\n"
    assert text_of(deltas, Kind.TEXT) == "three"
    assert (ended.reason, ended.seq) == (Reason.STOP, len(words))
    ids = [token for delta in deltas for token in delta.piece.ids]
    assert ids == words
    for count, delta in enumerate(deltas, start=1):
        after = delta.piece.seq
        more, end = recite(tokenizer, words, ids[:after])
        for kind in (Kind.THOUGHT, Kind.TEXT):
            assert text_of([*deltas[:count], *more], kind) == text_of(deltas, kind)
        assert end.seq == ended.seq


def test_a_thought_that_the_prompt_opens_is_one_from_its_first_token(tmp_path: Path) -> None:
    tokenizer = thinking(tmp_path, OPENED)
    words = tokenizer.inner("one\n</think>\n\ntwo", add_special_tokens=False).input_ids
    deltas, _ = recite(tokenizer, words)
    assert deltas[0].piece.kind is Kind.THOUGHT
    assert (text_of(deltas, Kind.THOUGHT), text_of(deltas, Kind.TEXT)) == ("one\n", "two")


def test_the_channels_of_harmony_are_sampled_and_never_shown(tmp_path: Path) -> None:
    tokenizer = harmonic(tmp_path)
    said = "<|channel|>analysis<|message|>one<|end|><|start|>assistant<|channel|>final<|message|>two"
    words = tokenizer.inner(said, add_special_tokens=False).input_ids
    assert not tokenizer.never_sample & set(words)
    deltas, _ = recite(tokenizer, words)
    assert (text_of(deltas, Kind.THOUGHT), text_of(deltas, Kind.TEXT)) == ("one", "two")


def harmonic(folder: Path) -> HfTokenizer:
    made = make_folder(folder / "model", template=None)
    tokenizer = HfTokenizer(made, VOCAB).inner
    tokenizer.add_special_tokens({"additional_special_tokens": [*HARMONY, "<|z|>"]})
    tokenizer.chat_template = CHANNELS
    tokenizer.save_pretrained(made)
    return HfTokenizer(made, VOCAB)


def test_a_switch_offers_off_and_high(tmp_path: Path) -> None:
    tokenizer = thinking(tmp_path, SWITCHED)
    assert tokenizer.thinker is not None
    assert tokenizer.thinker.efforts == ("off", "high")
    assert prompt(tokenizer) == prompt(tokenizer, effort="high")
    assert prompt(tokenizer, effort="off") == prompt(tokenizer) + "<think>\n\n</think>\n\n"


def test_a_level_offers_low_to_high(tmp_path: Path) -> None:
    tokenizer = harmonic(tmp_path)
    assert tokenizer.thinker is not None
    assert tokenizer.thinker.efforts == ("low", "medium", "high")
    assert "Reasoning: low" in prompt(tokenizer, effort="low")


@pytest.mark.parametrize(
    "template",
    [
        OPENED,
        SWITCHED.replace("enable_thinking is false", "enable_thinking is string"),
        SWITCHED.replace("enable_thinking is false", "raise_exception('no')"),
    ],
)
def test_an_effort_that_changes_nothing_or_fails_is_not_offered(tmp_path: Path, template: str) -> None:
    tokenizer = thinking(tmp_path, template)
    assert tokenizer.thinker is not None
    assert tokenizer.thinker.efforts == ()


def test_a_template_without_thoughts_has_none(tmp_path: Path) -> None:
    assert thinking(tmp_path, PLAIN, ()).thinker is None


@pytest.mark.parametrize("template", [SWITCHED, OPENED])
def test_an_unfinished_thought_is_continued_behind_its_tag(tmp_path: Path, template: str) -> None:
    tokenizer = thinking(tmp_path, template)
    start = "<|a|>user\none<|z|>\n<|a|>assistant\n<think>\n"
    assert prompt(tokenizer, thought="one tw") == start + "one tw"


@pytest.mark.parametrize("template", [SWITCHED, OPENED])
def test_a_continued_thought_ends_and_resumes_at_every_token(tmp_path: Path, template: str) -> None:
    tokenizer = thinking(tmp_path, template)
    words = tokenizer.inner(" two\n</think>\n\nthree", add_special_tokens=False).input_ids
    deltas, ended = recite(tokenizer, words, thought="one")
    assert (text_of(deltas, Kind.THOUGHT), text_of(deltas, Kind.TEXT)) == (" two\n", "three")
    assert (ended.reason, ended.seq) == (Reason.STOP, len(words))
    for count, delta in enumerate(deltas, start=1):
        more, end = recite(tokenizer, words, words[: delta.piece.seq], thought="one")
        for kind in (Kind.THOUGHT, Kind.TEXT):
            assert text_of([*deltas[:count], *more], kind) == text_of(deltas, kind)
        assert end.seq == ended.seq


def test_an_engine_announces_what_its_template_knows(tmp_path: Path) -> None:
    engine = LocalEngine(make_folder(tmp_path / "a", template=SWITCHED, added=TAGS), slots=1, threads=1)
    assert (engine.capabilities.reasoning, engine.capabilities.efforts) == (True, ("off", "high"))
    plain = LocalEngine(make_folder(tmp_path / "b"), slots=1, threads=1)
    assert (plain.capabilities.reasoning, plain.capabilities.efforts) == (False, ())
