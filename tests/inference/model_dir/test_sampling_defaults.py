"""Tests that a folder's generation_config.json is announced as the model's own sampling."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from inference import settings
from inference.engines import load_engine
from inference.model_dir.describe import ModelUnusable, describe
from inference.worker.runtime import card
from tests.inference.hf_folders import change_json, make_folder

SET = {
    "temperature": 0.6,
    "top_p": 0.8,
    "top_k": 20,
    "min_p": 0.05,
    "repetition_penalty": 1.05,
    "presence_penalty": 0.5,
    "max_new_tokens": 2048,
    "do_sample": True,
}
READ = {
    "temperature": 0.6,
    "top_p": 0.8,
    "top_k": 20,
    "min_p": 0.05,
    "repetition": 1.05,
    "presence": 0.5,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "model")


def test_a_worker_announces_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert describe(folder).sampling == {}
    change_json(folder, "generation_config.json", **SET)
    monkeypatch.setattr(settings, "MODEL", str(folder))
    announced = card(load_engine(str(folder), slots=1, threads=1))
    assert json.loads(str(announced["sampling"])) == READ


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"top_k": None, "temperature": None}, {}),
        ({"top_k": -1}, {"top_k": 0}),
        ({"top_k": 50.0}, {"top_k": 50}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"do_sample": False, "temperature": 0.7}, {"temperature": 0.7}),
    ],
)
def test_unset_and_unusual_values_are_read(folder: Path, given: dict[str, Any], read: dict[str, Any]) -> None:
    change_json(folder, "generation_config.json", **given)
    assert describe(folder).sampling == read


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"temperature": "hot"}, "temperature is 'hot', not a number"),
        ({"temperature": True}, "temperature is True, not a number"),
        ({"temperature": -1}, "temperature -1 is not between 0 and 5"),
        ({"temperature": float("nan")}, "temperature nan is not between"),
        ({"top_p": 7}, "top_p 7 is not above 0 and at most 1"),
        ({"top_k": 1.5}, "top_k is 1.5, not a whole number"),
        ({"repetition_penalty": [1.1]}, "repetition_penalty is [1.1], not a number"),
    ],
)
def test_values_that_make_no_sense_are_refused(folder: Path, given: dict[str, Any], words: str) -> None:
    change_json(folder, "generation_config.json", **given)
    with pytest.raises(ModelUnusable, match=f"generation_config.json in .*: {re.escape(words)}"):
        describe(folder)
