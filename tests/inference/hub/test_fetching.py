"""Models by name: what is fetched, how it is verified and placed, and what happens when a fetch is cut."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from inference.base.outbound import Listed
from inference.hub.fetching import fetch, remove_fetched
from inference.hub.planning import Memory
from inference.hub.progress import Progress, State
from inference.model_dir import manifest
from inference.model_dir.admission import admit, needed_bytes
from inference.model_dir.describe import GROK2, ModelFiles, describe
from inference.model_dir.headers import ModelUnusable
from tests.inference.grok2_folders import make_folder as make_grok2
from tests.inference.grok2_folders import make_weights
from tests.inference.hub.fake_hub import Call, FakeHub, Repository
from tests.inference.hub.fetcher import NAME, Fetcher, in_two_shards

WEIGHTS = "model.safetensors"
ROOT = Path(__file__).resolve().parents[3]


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


# --- Cut, and continued -----------------------------------------------------------------------------------


def test_a_cut_transfer_continues_and_brings_no_byte_twice(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    raw = (published.folder / WEIGHTS).read_bytes()
    cuts = iter([70_000, 70_000, 100_000, 100_001])

    def cut(call: Call) -> bool | None:
        return call.part(raw, cut_at=next(cuts, None)) if call.file == WEIGHTS else None

    hub.on = cut
    assert (fetching(hub) / WEIGHTS).read_bytes() == raw
    assert next(cuts, None) is None
    assert hub.sent_of(WEIGHTS) == len(raw)


def test_a_server_that_ignores_ranges_is_read_from_the_beginning(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    raw = (published.folder / WEIGHTS).read_bytes()
    hub.on = lambda call: call.body(raw) if call.file == WEIGHTS else None
    assert (fetching(hub) / WEIGHTS).read_bytes() == raw


FETCH = "import sys; from inference.hub.fetching import fetch; print(fetch(sys.argv[1]))"


def fetch_elsewhere(hub: FakeHub, data: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "GROKWEB_DATA": str(data)}
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, NAME], env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_a_killed_fetch_continues_in_another_process(
    hub: FakeHub, published: Repository, tmp_path: Path
) -> None:
    raw = (published.folder / WEIGHTS).read_bytes()
    half, is_half, go_on = len(raw) * 3 // 4, threading.Event(), threading.Event()

    def stall(call: Call) -> bool | None:
        if call.file != WEIGHTS or int(call.headers["range"].rpartition("-")[2]) < len(raw) - 1:
            return None
        call.part(raw, cut_at=half)  # the connection ends after the test's wait
        is_half.set()
        return go_on.wait(60)

    hub.on = stall
    part = tmp_path / "models" / ".fetching" / "acme--tiny" / f"{WEIGHTS}.part"
    with fetch_elsewhere(hub, tmp_path) as killed:
        assert is_half.wait(60)
        while not (part.exists() and part.stat().st_size == half):
            assert killed.poll() is None
            time.sleep(0.02)
        killed.send_signal(signal.SIGKILL)
    go_on.set()
    hub.on = lambda call: None
    with fetch_elsewhere(hub, tmp_path) as again:
        printed = again.stdout.read().strip()
    assert (Path(printed) / WEIGHTS).read_bytes() == raw
    assert hub.sent_of(WEIGHTS) == len(raw)


def test_a_fetch_continues_at_the_commit_of_its_parts(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    hub.on = lambda call: call.status(500) if call.start > 0 else None
    with pytest.raises(ModelUnusable, match="what was fetched is kept: start again to continue"):
        fetching(hub)
    published.revisions = ("main", "c" * 40)
    hub.on = lambda call: None
    fetching(hub)
    assert [call.path for call in hub.calls if not call.file][
        -1
    ] == f"/api/models/acme/tiny/revision/{'c' * 40}"


def test_parts_of_a_commit_that_is_gone_are_dropped(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    hub.on = lambda call: call.status(500) if call.start > 0 else None
    with pytest.raises(ModelUnusable):
        fetching(hub)
    published.commit = "d" * 40
    hub.on = lambda call: None
    assert json.loads((fetching(hub) / "hub.json").read_text())["commit"] == "d" * 40


@pytest.mark.parametrize("place", [7, 20, -1])  # the length of the header, the header, the tensors
def test_a_part_that_was_damaged_on_the_disk_is_fetched_anew(
    hub: FakeHub, published: Repository, fetching: Fetcher, place: int
) -> None:
    hub.on = lambda call: call.status(500) if call.start > 0 else None
    with pytest.raises(ModelUnusable):
        fetching(hub)
    part = fetching.root / ".fetching" / "acme--tiny" / f"{WEIGHTS}.part"
    raw = bytearray(part.read_bytes())
    raw[place] ^= 255
    part.write_bytes(raw)
    hub.on = lambda call: None
    assert (fetching(hub) / WEIGHTS).read_bytes() == (published.folder / WEIGHTS).read_bytes()


def test_a_small_file_that_was_damaged_on_the_disk_is_fetched_anew(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    hub.on = lambda call: call.status(500) if call.start > 0 else None
    with pytest.raises(ModelUnusable):
        fetching(hub)
    file = fetching.root / ".fetching" / "acme--tiny" / "tokenizer.json"
    file.write_bytes(file.read_bytes().replace(b"a", b"b", 1))
    hub.on = lambda call: None
    fetched = fetching(hub) / "tokenizer.json"
    assert fetched.read_bytes() == (published.folder / "tokenizer.json").read_bytes()


def test_weights_that_were_checked_before_a_cut_are_neither_copied_nor_fetched_again(
    hub: FakeHub, published: Repository, fetching: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = in_two_shards(published.folder)
    raw = bytearray((published.folder / second).read_bytes())
    raw[-1] ^= 255
    hub.on = lambda call: call.part(bytes(raw)) if call.file == second else None
    with pytest.raises(ModelUnusable, match=f"{second} is not what the hub's checksum says"):
        fetching(hub)
    hub.on = lambda call: None
    hub.calls.clear()
    copied: list[str] = []
    copy = shutil.copyfile

    def noted(source: Path, target: Path) -> object:
        copied.append(source.name)
        return copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", noted)
    folder = fetching(hub)
    assert "config.json" in copied
    assert not [name for name in copied if name.endswith(".safetensors")]
    assert set(hub.asked_files()) == {second}
    assert [path.name for path in admit(folder, 1).shards] == [first, second]


def test_two_fetches_of_one_model_wait_for_each_other(
    hub: FakeHub, fetching: Fetcher, tmp_path: Path
) -> None:
    is_asked, go_on, second_waits = threading.Event(), threading.Event(), threading.Event()

    def hold(call: Call) -> None:
        if call.file == "config.json":
            is_asked.set()
            go_on.wait(60)

    hub.on = hold
    folders: list[Path] = []
    first = threading.Thread(target=lambda: folders.append(fetching(hub)))
    first.start()
    assert is_asked.wait(60)

    def report(progress: Progress) -> None:
        if progress.state is State.WAITING:
            second_waits.set()

    second = threading.Thread(target=lambda: folders.append(fetch(NAME, root=fetching.root, report=report)))
    second.start()
    assert second_waits.wait(60)
    go_on.set()
    first.join(60)
    second.join(60)
    assert folders == [fetching.root / "acme--tiny"] * 2
    assert len(hub.asked_files()) == len(set(hub.asked_files())) + 1  # the header, then the rest


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


# --- Refused ----------------------------------------------------------------------------------------------


def refusal(fetching: Fetcher, hub: FakeHub, **options: object) -> str:
    """Returns the line of a fetch that must fail, and that leaves no model."""
    with pytest.raises(ModelUnusable) as refused:
        fetching(hub, **options)
    line = str(refused.value)
    assert "\n" not in line
    assert fetching.folders == []
    assert fetching.reports[-1].state is State.FAILED
    assert fetching.reports[-1].error == line
    return line


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


@pytest.mark.parametrize("retry_after", ["0", "7"])
def test_a_hub_that_is_busy_is_asked_again_after_the_time_it_names(
    hub: FakeHub, fetching: Fetcher, retry_after: str
) -> None:
    busy = iter([True, False, True])
    hub.on = lambda call: call.status(429, Retry_After=retry_after) if next(busy, False) else None
    fetching(hub)
    assert fetching.waits == [float(retry_after)] * 2


def test_a_hub_that_stays_busy_is_given_up(hub: FakeHub, fetching: Fetcher) -> None:
    hub.on = lambda call: call.status(429)
    assert "the hub refuses more requests for now (status 429)" in refusal(fetching, hub)
    assert fetching.waits == [1, 2, 4, 8, 16]


def test_a_wait_of_days_is_not_made(hub: FakeHub, fetching: Fetcher) -> None:
    hub.on = lambda call: call.status(503, Retry_After="100000")
    assert "asks to wait 100,000 seconds (status 503)" in refusal(fetching, hub)
    assert fetching.waits == []


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


def test_downloads_go_only_to_hosts_that_are_public_or_listed(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    with FakeHub({"acme/tiny": published}) as stored:
        hub.files_at = stored
        hub.tokens = {"hf_good"}
        line = refusal(fetching, hub, token="hf_good")
        assert "leads to a place that is not allowed: the address is this machine" in line
        assert "GROKWEB_HUB_HOSTS" in line
        assert stored.calls == []
        fetching(hub, token="hf_good", listed=Listed.parse([stored.host]))
        assert stored.calls
        assert not [call for call in stored.calls if "authorization" in call.headers]


@pytest.mark.parametrize(
    "place", ["http://10.0.0.1/x", "http://169.254.169.254/latest", "file:///etc/passwd"]
)
def test_a_redirect_to_a_private_address_is_refused(hub: FakeHub, fetching: Fetcher, place: str) -> None:
    hub.on = lambda call: call.status(302, Location=place) if call.file == WEIGHTS else None
    assert "the hub leads to a place that is not allowed" in refusal(fetching, hub)
    assert fetching.waits == []


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


@pytest.mark.parametrize("change", [-1, 1, 10**6])
def test_another_length_than_the_listed_one_is_refused(
    hub: FakeHub, published: Repository, fetching: Fetcher, change: int
) -> None:
    raw = (published.folder / WEIGHTS).read_bytes()
    wrong = raw[:change] if change < 0 else raw + bytes(change)
    hub.on = lambda call: call.part(wrong) if call.file == WEIGHTS else None
    assert f"the hub lists {len(raw):,} bytes for {WEIGHTS}, but sends {len(wrong):,}" in refusal(
        fetching, hub
    )


def test_an_endless_body_is_left_where_the_file_ends(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    raw = (published.folder / "config.json").read_bytes()

    def endless(call: Call) -> bool | None:
        if call.file != "config.json":
            return None
        call.handler.close_connection = True
        call._head(200, {})
        while True:
            call.write(raw + bytes(2**20))

    hub.on = endless
    assert f"the hub lists {len(raw):,} bytes for config.json, but sends more" in refusal(fetching, hub)


def test_another_part_than_was_asked_for_is_refused(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    raw = (published.folder / WEIGHTS).read_bytes()
    wrong = f"bytes 5-{len(raw) - 1}/{len(raw)}"
    hub.on = lambda call: (
        call.body(raw[5:], status=206, Content_Range=wrong) if call.file == WEIGHTS else None
    )
    assert "sends another part of model.safetensors than was asked for" in refusal(fetching, hub)


def test_a_transfer_that_brings_nothing_is_given_up(
    hub: FakeHub, published: Repository, fetching: Fetcher
) -> None:
    raw = (published.folder / "config.json").read_bytes()
    hub.on = lambda call: call.part(raw, cut_at=0) if call.file == "config.json" else None
    assert "the transfer failed 6 times: the answer ended before its end" in refusal(fetching, hub)


def test_an_answer_that_is_no_hubs_is_refused(hub: FakeHub, fetching: Fetcher) -> None:
    hub.on = lambda call: call.body(b"<html>hello</html>")
    assert "answers, but not as a hub: check HF_ENDPOINT" in refusal(fetching, hub)


def test_a_hub_that_is_not_there_is_named(hub: FakeHub, fetching: Fetcher) -> None:
    hub.__exit__()
    line = refusal(fetching, hub)
    assert f"{hub.url} cannot be reached: no connection to the server" in line


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
