"""Tests the reading of environment variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.base import env

PAGE = (Path(env.__file__).parents[2] / "docs" / "settings.md").read_text()


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env, "KNOWN", {})


@pytest.mark.parametrize(("name", "deprecated"), env.DEPRECATED.items())
def test_a_deprecated_name_is_read_until_the_new_one_is_set(
    monkeypatch: pytest.MonkeyPatch, name: str, deprecated: str
) -> None:
    monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(deprecated, "7")
    assert env.integer(name, 1, "A number.", low=0, high=9) == 7
    monkeypatch.setenv(name, "8")
    assert env.integer(name, 1, "A number.", low=0, high=9) == 8


@pytest.mark.parametrize(("name", "deprecated"), env.DEPRECATED.items())
def test_deprecated_names_are_documented(name: str, deprecated: str) -> None:
    assert f"`{deprecated}` is the former name of `{name}`" in PAGE
