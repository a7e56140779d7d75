"""A model is refused in one line, with nothing left: its access, its files, their sums, its size."""

from __future__ import annotations

import json

import pytest

from inference.hub.planning import Memory
from inference.model_dir.admission import needed_bytes
from inference.model_dir.describe import describe
from inference.model_dir.headers import ModelUnusable
from tests.inference.hub.fake_hub import FakeHub, Repository
from tests.inference.hub.fetcher import NAME, WEIGHTS, Fetcher, in_two_shards, refusal


def test_a_wrong_checksum_is_named_and_the_file_removed(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    raw = bytearray((published.folder / WEIGHTS).read_bytes())
    raw[-1] ^= 255
    hub.on = lambda call: call.part(bytes(raw)) if call.file == WEIGHTS else None
    assert "model.safetensors is not what the hub's checksum says; it was removed" in refusal(fetching, hub)
    assert not list(fetching.root.rglob(f"{WEIGHTS}*"))
    hub.on = lambda call: None
    fetching(hub)


def test_a_small_file_is_checked_against_its_git_digest(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    raw = (published.folder / "tokenizer.json").read_bytes().replace(b"a", b"b", 1)
    hub.on = lambda call: call.part(raw) if call.file == "tokenizer.json" else None
    assert "tokenizer.json is not what the hub's checksum says" in refusal(fetching, hub)


def test_a_file_without_a_checksum_is_not_fetched(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    published.listed = {"config.json": {"blobId": None}}
    assert "the hub gives no checksum for config.json" in refusal(fetching, hub)


@pytest.mark.parametrize("code", ["GatedRepo", ""])
def test_a_gated_model_names_the_page_and_the_token(
    hub: FakeHub, published: Repository, fetching: Fetcher, code: str
) -> None:
    published.gated = "manual"
    line = refusal(fetching, hub)
    assert f"accepted its conditions: do so at {hub.url}/acme/tiny, then set HF_TOKEN" in line
    assert hub.asked_files() == []
    hub.tokens = {"hf_good", "hf_stranger"}
    hub.on = lambda call: call.status(403, X_Error_Code=code) if call.file else None
    line = refusal(fetching, hub, token="hf_stranger")
    assert f"the account of HF_TOKEN may not read it: accept its conditions at {hub.url}/acme/tiny" in line
    assert "hf_stranger" not in line
    hub.on = lambda call: None
    fetching(hub, token="hf_good")


def test_a_wrong_token_and_a_private_model_are_told_apart(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    hub.tokens = {"hf_good"}
    line = refusal(fetching, hub, token="hf_wrong")
    assert "does not accept HF_TOKEN" in line
    assert "hf_wrong" not in line
    published.needs_token = True
    assert "or is private: then set HF_TOKEN" in refusal(fetching, hub)
    fetching(hub, token="hf_good")


def test_an_unknown_model_and_an_unknown_revision_are_named(hub: FakeHub, fetching: Fetcher) -> None:
    line = refusal(fetching, hub, name="hf:acme/tyni")
    assert line.startswith(f"hf:acme/tyni: {hub.url} has no such model")
    assert "hf:acme/tiny@v9: it has no revision v9" in refusal(fetching, hub, name=f"{NAME}@v9")


def test_a_renamed_model_is_fetched_under_its_old_name(hub: FakeHub, fetching: Fetcher) -> None:
    hub.moved = {"acme/small": "acme/tiny"}
    folder = fetching(hub, "hf:acme/small")
    assert folder.name == "acme--small"
    assert json.loads((folder / "hub.json").read_text())["repository"] == "acme/tiny"


def test_a_missing_weight_file_is_named_before_any_weights_are_fetched(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    first, second = in_two_shards(published.folder)
    published.hidden = (second,)
    assert f"1 of 2 weight files are missing on the hub: {second}" in refusal(fetching, hub)
    assert first not in hub.asked_files()


def test_weights_that_can_run_code_are_not_fetched(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    published.hidden = (WEIGHTS,)
    line = refusal(fetching, hub)
    assert "no model.safetensors" in line
    assert "pytorch_model.bin is not fetched, because its format can run code" in line


def test_a_repository_without_a_config_is_refused(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    published.hidden = ("config.json",)
    assert "has no config.json" in refusal(fetching, hub)
    assert hub.asked_files() == []


@pytest.mark.parametrize("names", [["../x.safetensors"], ["a/b.safetensors"], ["x.bin"], []])
def test_an_index_that_names_other_places_is_refused(
    hub: FakeHub, published: Repository, fetching: Fetcher, names: list[str]
) -> None:
    index = {"weight_map": {f"t{number}": name for number, name in enumerate(names)}}
    (published.folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "its model.safetensors.index.json names no weight files" in refusal(fetching, hub)


def test_a_model_larger_than_the_disk_is_refused_with_figures(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    published.listed = {WEIGHTS: {"lfs": {"size": 9 * 10**12, "sha256": "a" * 64, "pointerSize": 1}}}
    line = refusal(fetching, hub)
    assert f"not enough disk space in {fetching.root}: 9000.0 GB are still to fetch" in line
    assert WEIGHTS not in hub.asked_files()


def test_a_model_larger_than_the_memory_is_refused_after_its_header(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    line = refusal(fetching, hub, memory=Memory(slots=4, free=lambda: 10**6))
    assert "not enough memory for tiny: needs 0.3 GB" in line
    assert hub.sent_of(WEIGHTS) < (published.folder / WEIGHTS).stat().st_size


def test_memory_is_asked_for_the_numbers_in_which_the_model_is_served(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    free = needed_bytes(describe(published.folder), 4, "int8")
    assert "not enough memory" in refusal(fetching, hub, memory=Memory(slots=4, free=lambda: free))
    fetching(hub, memory=Memory(slots=4, free=lambda: free, dtype="int8"))


def test_a_folder_that_no_fetch_has_placed_is_refused_before_anything_is_fetched(
    hub: FakeHub, fetching: Fetcher
) -> None:
    folder = fetching.root / "acme--tiny"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    with pytest.raises(ModelUnusable) as refused:
        fetching(hub)
    assert str(refused.value) == f"hf:acme/tiny: {folder} is there but is not complete: remove it"
    assert hub.calls == []


def test_a_model_that_is_not_served_here_is_refused_by_its_name(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    config = json.loads((published.folder / "config.json").read_text())
    (published.folder / "config.json").write_text(json.dumps(config | {"vocab_size": -1}))
    line = refusal(fetching, hub)
    assert "config.json in hf:acme/tiny: vocab_size must be a whole number above 0" in line
