"""Gives tests a tiny model that a fake hub serves, and a fetch into a folder of the test's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.inference.hf_folders import make_folder
from tests.inference.hub.fake_hub import FakeHub, Repository
from tests.inference.hub.fetcher import Fetcher


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as people publish it: with files that are not fetched, too."""
    folder = make_folder(tmp_path_factory.mktemp("published") / "tiny", "granitemoe")
    (folder / "README.md").write_text("# Tiny")
    (folder / "modeling_tiny.py").write_text("raise SystemExit('executed')")
    (folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (folder / "original").mkdir()
    (folder / "original" / "config.json").write_text("{}")
    return folder


@pytest.fixture
def published(saved: Path, tmp_path: Path) -> Repository:
    """A repository of the test's own."""
    return Repository(Path(shutil.copytree(saved, tmp_path / "published")))


@pytest.fixture
def hub(published: Repository) -> Iterator[FakeHub]:
    with FakeHub({"acme/tiny": published}) as running:
        yield running


@pytest.fixture
def fetching(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path / "models")
