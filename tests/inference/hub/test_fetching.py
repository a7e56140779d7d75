"""Models by name: what is fetched, and how it is placed and removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inference.hub.fetching import remove_fetched
from inference.hub.planning import Memory
from inference.model_dir import manifest
from inference.model_dir.admission import admit
from inference.model_dir.describe import GROK2, ModelFiles, describe
from inference.model_dir.headers import ModelUnusable
from tests.inference.grok2_folders import make_folder as make_grok2
from tests.inference.grok2_folders import make_weights
from tests.inference.hub.fake_hub import Call, FakeHub, Repository
from tests.inference.hub.fetcher import NAME, WEIGHTS, Fetcher, in_two_shards, refusal


def test_weights_tokenizer_templates_and_settings_are_fetched_and_nothing_else(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    folder = fetching(hub)
    names = {path.name for path in folder.iterdir()}
    asked = {"config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"}
    asked |= {"generation_config.json"}
    assert set(hub.asked_files()) == asked
    assert names == asked | {"manifest.json", "hub.json", "grokweb.json"}
    for name in asked:
        assert (folder / name).read_bytes() == (published.folder / name).read_bytes()
    assert manifest.check(folder, asked)


def test_a_fetched_folder_is_a_model_folder_with_the_repositorys_name(
    hub: FakeHub, fetching: Fetcher
) -> None:
    files = admit(fetching(hub), 2)
    assert (files.slug, files.name, files.model_type) == ("tiny", "tiny", "granitemoe")


def test_the_record_names_repository_commit_and_licence(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    published.card = {"license": "other", "license_name": "acme-1", "license_link": "https://acme.example/l"}
    record = json.loads((fetching(hub) / "hub.json").read_text())
    assert record["repository"] == "acme/tiny"
    assert record["commit"] == "c" * 40
    assert record["licence"] == {"id": "other", "name": "acme-1", "link": "https://acme.example/l"}
    assert "acme-1 (https://acme.example/l)" in {report.licence for report in fetching.reports}


def test_a_model_that_is_here_needs_no_hub(hub: FakeHub, fetching: Fetcher) -> None:
    folder = fetching(hub)
    asked = len(hub.calls)
    assert fetching(hub) == folder
    assert len(hub.calls) == asked


def test_the_hub_is_asked_for_the_model_alone(hub: FakeHub, fetching: Fetcher) -> None:
    fetching(hub)
    facts = [call for call in hub.calls if not call.file]
    assert [call.path for call in facts] == ["/api/models/acme/tiny"]
    for call in hub.calls:
        assert "authorization" not in call.headers
        assert "torch" not in call.headers["user-agent"]


def test_a_revision_is_pinned_to_its_commit_and_has_a_folder_of_its_own(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    published.revisions = ("main", "v2")
    tagged, main = fetching(hub, f"{NAME}@v2"), fetching(hub)
    assert (tagged.name, main.name) == ("acme--tiny@v2", "acme--tiny")
    published.commit = "d" * 40
    assert json.loads((fetching(hub) / "hub.json").read_text())["commit"] == "c" * 40


def test_several_weight_files_are_fetched_as_the_index_names_them(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    shards = in_two_shards(published.folder)
    assert [path.name for path in describe(fetching(hub)).shards] == shards


def test_an_index_without_its_files_is_left_out_where_the_whole_file_is_there(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    index = {"weight_map": {"a": "model-00001-of-00001.safetensors"}}
    (published.folder / "model.safetensors.index.json").write_text(json.dumps(index))
    folder = fetching(hub)
    assert not (folder / "model.safetensors.index.json").exists()
    assert [path.name for path in admit(folder, 1).shards] == [WEIGHTS]


def test_a_removed_model_is_gone_with_its_parts(hub: FakeHub, fetching: Fetcher) -> None:
    fetching(hub)
    assert remove_fetched(NAME, root=fetching.root)
    assert fetching.folders == []
    assert not remove_fetched(NAME, root=fetching.root)


def test_a_model_that_is_being_fetched_is_not_removed(
    hub: FakeHub, fetching: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.hub.fetching.LONGEST_REMOVAL_WAIT", 0.0)
    refused: list[ModelUnusable] = []

    def remove(call: Call) -> None:
        if call.file == WEIGHTS and not refused:
            with pytest.raises(ModelUnusable, match="hf:acme/tiny: another process is fetching it") as error:
                remove_fetched(NAME, root=fetching.root)
            refused.append(error.value)

    hub.on = remove
    assert manifest.check(fetching(hub), {WEIGHTS})
    assert refused


def test_the_release_of_grok2_is_fetched_without_an_index(fetching: Fetcher, tmp_path: Path) -> None:
    published = make_grok2(tmp_path / "grok-2", make_weights())
    with FakeHub({"acme/tiny": Repository(published)}) as hub:
        folder = fetching(hub, memory=Memory(slots=1))
    files = describe(folder)
    assert files.model_type == GROK2
    assert [path.name for path in files.shards] == sorted(
        path.name for path in published.glob("*.safetensors")
    )
    assert (folder / "tokenizer.tok.json").read_bytes() == (published / "tokenizer.tok.json").read_bytes()


def test_an_incomplete_release_of_grok2_is_refused_by_its_list_of_files(
    fetching: Fetcher, tmp_path: Path
) -> None:
    published = make_grok2(tmp_path / "grok-2", make_weights())
    (published / "pytorch_model-00006-TP-005.safetensors").unlink()
    with FakeHub({"acme/tiny": Repository(published)}) as hub:
        line = refusal(fetching, hub)
        assert line == (
            "1 weight file is missing in hf:acme/tiny on the hub: pytorch_model-00006-TP-005.safetensors"
        )
        assert [name for name in hub.asked_files() if name.endswith(".safetensors")] == []


def test_a_model_that_the_caller_does_not_serve_is_refused_before_its_weights(
    hub: FakeHub, fetching: Fetcher
) -> None:
    def only_grok1(files: ModelFiles) -> None:
        raise ModelUnusable(f"{files.path} is no Grok-1")

    with pytest.raises(ModelUnusable, match="^hf:acme/tiny is no Grok-1$"):
        fetching(hub, check=only_grok1)
    assert hub.sent_of(WEIGHTS) < (hub.repositories["acme/tiny"].folder / WEIGHTS).stat().st_size
