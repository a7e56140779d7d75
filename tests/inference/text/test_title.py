"""Tests the request for a title, and how little of it the engine has to read."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from inference.contract import Reason, ReplyRule, Sampling
from inference.engines.local import LocalEngine
from inference.model_dir.describe import describe
from inference.settings import BASE_DIR
from inference.text.title import MOST_TOKENS, QUESTION, title_request
from tests.inference.engine_fakes import request
from tests.inference.listening import Listener, unexpected

DEMO = BASE_DIR / "inference" / "demo" / "model"
RULES = (ReplyRule("1", "rude"),)


def test_the_question_follows_the_whole_exchange() -> None:
    asked = request("How are you?", rules=RULES, user_key="u", cache_key="c", title=True)
    title = title_request(asked, "Fine.")
    assert [each["content"] for each in title.messages] == ["How are you?", "Fine.", QUESTION]
    assert [each["role"] for each in title.messages] == ["user", "assistant", "user"]
    assert (title.max_new_tokens, title.sampling) == (MOST_TOKENS, Sampling(temperature=0.0))
    assert (title.rules, title.user_key, title.cache_key) == (RULES, "u", "c")
    assert title.generation_id != asked.generation_id
    assert not title.title


def test_an_answer_that_went_on_is_one_answer() -> None:
    asked = request("How are you?")
    begun = dataclasses.replace(asked, messages=(*asked.messages, {"role": "assistant", "content": "Fi"}))
    assert title_request(begun, "ne.").messages == title_request(asked, "Fine.").messages


def test_the_engine_reads_only_the_question_again() -> None:
    """The demo model has no title to give; its cache works as any model's."""
    engine, heard = LocalEngine(DEMO, slots=1, threads=1, exit=unexpected), Listener()
    engine.start(heard)
    try:
        asked = request("Hello, who are you and what can you do?", user_key="u", cache_key="c")
        engine.submit(asked, ())
        _, answer, end = heard.end(asked.generation_id)
        assert end.reason == Reason.STOP
        before = engine.metrics()
        title = title_request(asked, answer)
        engine.submit(title, ())
        heard.end(title.generation_id)
        after = engine.metrics()
        assert after["prompt_reused"] - before["prompt_reused"] >= end.prompt_tokens + end.seq - 1
        assert after["tokens"] - before["tokens"] <= MOST_TOKENS
    finally:
        engine.stop()


@pytest.mark.parametrize(
    ("card", "able"),
    [
        ({}, True),
        ({"is_demo": True}, False),
        ({"is_demo": True, "titles": True}, True),
        ({"titles": False}, False),
    ],
)
def test_titles_come_from_folders_that_can_and_do_not_opt_out(
    card: dict[str, bool], able: bool, tmp_path: Path
) -> None:
    for path in DEMO.iterdir():
        if path.name != "grokweb.json":
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "grokweb.json").write_text(json.dumps({"slug": "m", **card}))
    assert describe(tmp_path).titles is able
