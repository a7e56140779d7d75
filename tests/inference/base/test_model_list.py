"""`models.toml`: what is read, what each wrong line says, and what commands leave of other lines."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.base.lines import english, to_data
from inference.base.model_list import editing, state
from inference.base.model_list.entries import (
    FILE_NAME,
    Entry,
    Unreadable,
    make_entry,
    parse,
    read,
    secret_names,
    threads_of,
    worker_environment,
)

WRITTEN = """\
# Ours.
default = "two"  # the better one

[one] # small
source = "./models/one"
slots = 2
threads = 3

# The big one, on the second GPU.
[two]
source = "http://gpu:8000/v1#big"
key = "BIG_KEY"
context = 4096
device = "cuda:1"
"""
ONE = Entry("one", "./models/one", slots=2, threads=3)
TWO = Entry("two", "http://gpu:8000/v1#big", context=4096, device="cuda:1", key="BIG_KEY")
NEW = Entry("new", 'demo "quoted" \\ \N{SNOWMAN}', dtype="int8")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "models.toml").write_text(WRITTEN)
    return tmp_path


def test_each_table_is_a_model(data: Path) -> None:
    models = read(data)
    assert (dict(models.entries), models.default, models.problems) == ({"one": ONE, "two": TWO}, "two", ())


def test_without_the_file_there_is_no_model(tmp_path: Path) -> None:
    assert dict(read(tmp_path).entries) == {}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("slots = 0", "slots: it must be a whole number from 1 to 256"),
        ("slots = true", "slots: it must be a whole number"),
        ("threads = 1000", "threads: it must be a whole number from 1 to 256"),
        ("context = 5", "context: it must be a whole number from 256"),
        ('device = "gpu"', "device: it must be auto, cpu, cuda"),
        ('dtype = "float64"', "dtype: it must be one of: auto, int8, bfloat16, float32"),
        ("key = 7", "key: it must be the NAME of an environment variable"),
        ("colour = 1", "colour: there is no such field; the fields are: source, slots, threads"),
        ("source = 1", "source: it must be a text"),
        ('source = ""', "source: it must be a text"),
        ('source = "a\\u001bb"', "source: it must be a text"),
    ],
)
def test_a_wrong_field_leaves_out_its_table_alone_and_says_what_to_do(line: str, words: str) -> None:
    name = line.partition(" ")[0]
    source = "" if name == "source" else 'source = "demo"\n'
    models = parse(f'[good]\nsource = "demo"\n[bad]\n{source}{line}\n')
    assert (list(models.entries), list(models.wrong)) == (["good"], ["bad"])
    [problem] = models.problems
    assert problem.startswith(f"models.toml: [bad] {words}")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[Bad_Slug]\nsource = 'demo'", "models.toml: [Bad_Slug] slug: use a-z, 0-9 and single dashes"),
        ("[default]\nsource = 'demo'", "models.toml: [default] slug: use a-z"),
        (f"[{'a' * 65}]\nsource = 'demo'", f"models.toml: [{'a' * 64}] slug: use a-z"),
        ("[one]\nslots = 1", "models.toml: [one] source: it is missing"),
        ("one = 'demo'", "models.toml: [one] table: a model is a table"),
        ("[[one]]\nsource = 'demo'", "models.toml: [one] table: a model is a table"),
        ("default = 'gone'\n[one]\nsource = 'demo'", "models.toml: default: no table has this slug"),
        ("default = 3\n[one]\nsource = 'demo'", "models.toml: default: no table has this slug"),
    ],
)
def test_a_wrong_table_or_default_is_one_line(text: str, words: str) -> None:
    [problem] = parse(text).problems
    assert problem.startswith(words)
    assert "\n" not in problem


def test_a_secret_in_place_of_its_name_is_refused_and_not_repeated() -> None:
    [problem] = parse("[one]\nsource = 'demo'\nkey = 'sk-very-secret-1234'").problems
    assert "the NAME of an environment variable" in problem
    assert "secret" not in problem


@pytest.mark.parametrize("text", ["[one", "a = ", "[one]\nsource = 'demo'\n[one]\n"])
def test_a_file_that_is_not_toml_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(Unreadable, match=r"^models\.toml: .+ \(at [a-z0-9, ]+\): correct this line$"):
        parse(text)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(Unreadable, match="not UTF-8"):
        read(tmp_path)


def test_a_model_is_added_and_every_other_line_stays(data: Path) -> None:
    editing.add(data, [NEW])
    text = (data / "models.toml").read_text()
    assert text.startswith(WRITTEN.rstrip())
    assert dict(read(data).entries) == {"one": ONE, "two": TWO, "new": NEW}
    assert read(data).default == "two"


def test_the_file_is_private(tmp_path: Path) -> None:
    editing.add(tmp_path, [ONE], default="one")
    assert (tmp_path / "models.toml").stat().st_mode & 0o777 == 0o600
    assert read(tmp_path).default == "one"


@pytest.mark.parametrize(("slug", "stays"), [("one", "two"), ("two", "one")])
def test_a_model_is_removed_with_its_lines_alone(data: Path, slug: str, stays: str) -> None:
    editing.remove(data, slug)
    text = (data / "models.toml").read_text()
    assert list(read(data).entries) == [stays]
    assert ("# Ours." in text, "# The big one" in text) == (True, True)
    assert read(data).default == ("" if slug == "two" else "two")


def test_another_default_replaces_the_first_one(data: Path) -> None:
    editing.set_default(data, "one")
    assert read(data).default == "one"
    assert (data / "models.toml").read_text().count("default =") == 1
    assert dict(read(data).entries) == {"one": ONE, "two": TWO}


@pytest.mark.parametrize("entry", [ONE, TWO])
def test_another_key_replaces_the_first_one_and_every_other_line_stays(data: Path, entry: Entry) -> None:
    before = (data / "models.toml").read_text().splitlines()
    editing.set_key(data, entry, "NEW_KEY")
    after = (data / "models.toml").read_text().splitlines()
    assert [line for line in before if line not in after] == ([f'key = "{entry.key}"'] if entry.key else [])
    assert [line for line in after if line not in before] == ['key = "NEW_KEY"']
    assert read(data).entries[entry.slug] == dataclasses.replace(entry, key="NEW_KEY")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: editing.set_key(data, dataclasses.replace(ONE, slots=9), "K"), "changed meanwhile"),
        (lambda data: editing.add(data, [dataclasses.replace(NEW, slug="one")]), "is there already"),
        (lambda data: editing.remove(data, "gone"), "the slugs are: one, two"),
        (lambda data: editing.set_default(data, "gone"), "there is no"),
    ],
)
def test_a_refused_change_leaves_the_file_as_it_was(
    data: Path, change: Callable[[Path], None], words: str
) -> None:
    with pytest.raises(editing.CannotEdit, match=words):
        change(data)
    assert (data / "models.toml").read_text() == WRITTEN
    assert [path.name for path in data.iterdir() if path.name.endswith(".new")] == []


def test_lines_that_the_command_would_break_are_left_to_a_person(tmp_path: Path) -> None:
    written = "[one]\nsource = '''\n[two]\n'''\n[two]\nsource = 'demo'\n"
    (tmp_path / "models.toml").write_text(written)
    with pytest.raises(editing.CannotEdit, match="edit it by hand"):
        editing.remove(tmp_path, "two")
    assert (tmp_path / "models.toml").read_text() == written


def test_a_wrong_table_can_be_removed(tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text("[one]\nsource = 'demo'\n[bad]\nslots = 1\n")
    editing.remove(tmp_path, "bad")
    assert read(tmp_path).problems == ()


def test_local_models_share_the_threads_that_others_leave() -> None:
    entries = {
        "a": Entry("a", "/models/a"),
        "b": Entry("b", "/models/b"),
        "c": Entry("c", "/models/c", threads=3),
        "server": Entry("server", "http://gpu/v1#x"),
        "demo": Entry("demo", "demo"),
    }
    threads = {slug: threads_of(entry, entries, 11) for slug, entry in entries.items()}
    assert threads == {"a": 4, "b": 4, "c": 3, "server": 1, "demo": 1}
    assert threads_of(entries["a"], entries, 1) == 1


def test_a_worker_gets_its_own_settings_and_no_other_key(tmp_path: Path) -> None:
    base = {
        "PATH": "/bin",
        "BIG_KEY": "sk-1",
        "GROKWEB_MODEL_KEY": "sk-other",
        "GROKWEB_MODEL_KEY_FILE": "/other",
        "GROKWEB_SLOTS": "4",
    }
    made = worker_environment(TWO, base, demo="/demo", data=tmp_path, threads=2)
    assert made == {
        "PATH": "/bin",
        "BIG_KEY": "sk-1",
        "GROKWEB_MODEL": TWO.source,
        "GROKWEB_MODEL_SLUG": "two",
        "GROKWEB_MODEL_KEY": "sk-1",
        "GROKWEB_SLOTS": "4",
        "GROKWEB_THREADS": "2",
        "GROKWEB_CONTEXT": "4096",
        "CUDA_VISIBLE_DEVICES": "1",
    }
    one = worker_environment(ONE, base, demo="/demo", data=tmp_path, threads=3)
    assert one["GROKWEB_MODEL"] == str(tmp_path / "models" / "one")
    assert one["GROKWEB_SLOTS"] == "2"
    assert [name for name in one if "MODEL_KEY" in name] == []
    demo = worker_environment(Entry("d", "demo", device="cpu"), base, demo="/demo", data=tmp_path, threads=1)
    assert (demo["GROKWEB_MODEL"], demo["CUDA_VISIBLE_DEVICES"]) == ("/demo", "")


def test_keys_of_other_tables_and_settings_of_another_model_reach_no_worker(tmp_path: Path) -> None:
    base = {"BIG_KEY": "sk-1", "HF_TOKEN": "hf", "GROKWEB_CONTEXT": "131072", "GROKWEB_DTYPE": "int8"}
    secret = secret_names([ONE, TWO])
    one = worker_environment(ONE, base, demo="/demo", data=tmp_path, threads=1, secret=secret)
    assert one.keys() & base.keys() == set()
    fetched = make_entry("three", {"source": "hf:owner/name"})
    made = worker_environment(fetched, base, demo="/demo", data=tmp_path, threads=1, secret=secret)
    assert made.keys() & base.keys() == {"HF_TOKEN"}


def test_comments_below_a_table_stay_when_it_is_removed(tmp_path: Path) -> None:
    file = tmp_path / FILE_NAME
    file.write_text(
        "[one]\nsource = 'demo'\n\n# about two\n\n[two]\nsource = 'demo'\n\n# [old]\n# source = 'é'\n",
        encoding="utf-8",
    )
    editing.remove(tmp_path, "two")
    editing.remove(tmp_path, "one")
    lines = file.read_text(encoding="utf-8").split("\n")
    assert [line for line in lines if line] == ["# about two", "# [old]", "# source = 'é'"]


def test_a_number_of_thousands_of_digits_is_a_line_to_correct() -> None:
    with pytest.raises(Unreadable, match="correct this line"):
        parse(f"[one]\nsource = 'demo'\nslots = {'9' * 5000}\n")


def test_a_missing_key_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^models\.toml: \[two\] key: BIG_KEY is not in the environment"):
        worker_environment(TWO, {}, demo="/demo", data=tmp_path, threads=1)


def test_a_file_of_a_key_is_passed_on_by_its_path(tmp_path: Path) -> None:
    entry = make_entry("two", {"source": "http://gpu/v1#x", "key": "/run/secrets/key"})
    made = worker_environment(entry, {}, demo="/demo", data=tmp_path, threads=1)
    assert made["GROKWEB_MODEL_KEY_FILE"] == "/run/secrets/key"


def test_a_published_state_is_read_back_and_read_again_when_it_changes(tmp_path: Path) -> None:
    assert state.published(tmp_path) is None
    first = state.ServiceState("one", {"one": state.WorkerState(state.Step.STARTED, 5.0)}, ("a line",))
    state.publish(tmp_path, first)
    assert state.published(tmp_path) == first
    second = dataclasses.replace(first, models={"one": state.WorkerState(state.Step.REFUSED, 5.0, "why")})
    state.publish(tmp_path, second)
    assert state.published(tmp_path) == second
    state.withdraw(tmp_path)
    assert state.published(tmp_path) is None
    (tmp_path / "models.json").write_text("{}")
    os.utime(tmp_path / "models.json", (1, 1))
    assert state.published(tmp_path) is None


def test_a_worker_tells_up_why_its_model_is_refused_with_what_pages_translate_it_from(tmp_path: Path) -> None:
    why = english("model: %(why)s", why=english("no %(wanted)s in %(folder)s", wanted="x", folder="/m"))
    state.note_refusal(tmp_path, "tiny", why)
    assert state.take_refusal(tmp_path, "tiny", "another line") == "another line"
    state.note_refusal(tmp_path, "tiny", why)
    taken = state.take_refusal(tmp_path, "tiny", str(why))
    assert list(tmp_path.iterdir()) == []
    worker = state.WorkerState(state.Step.REFUSED, 1.0, taken)
    state.publish(tmp_path, state.ServiceState("tiny", {"tiny": worker}, ("a plain line",)))
    told = state.published(tmp_path)
    assert told is not None
    assert told.problems == ("a plain line",)
    assert to_data(told.models["tiny"].problem) == to_data(why)
