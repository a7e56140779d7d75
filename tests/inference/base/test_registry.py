"""The table of extensions, with distributions that are installed as folders on sys.path."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inference.base import registry
from inference.base.registry import BrokenEntry, DuplicateEntry, Registry, UnknownEntry

Install = Callable[..., None]
ROOT = Path(__file__).parents[3]
GROUP = "grokweb.things"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with one module and entry points of the tests' group."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def install(name: str, code: str, **points: str) -> None:
        (tmp_path / f"{name}_code.py").write_text(code)
        about = tmp_path / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = [f"{each} = {value}" for each, value in points.items()]
        (about / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines, ""]))
        registry.entry_points.cache_clear()

    yield install
    registry.entry_points.cache_clear()
    for added in set(sys.modules) - before:
        del sys.modules[added]


def things(**table: str) -> Registry[type]:
    return Registry(GROUP, table, noun="thing", required=("label",))


GOOD = "class Thing:\n    label = 'good'\n"


def test_a_line_of_the_table_is_loaded_on_first_use(install: Install) -> None:
    install("own", GOOD)
    found = things(own="own_code.Thing")
    assert "own_code" not in sys.modules
    assert found.load("own").label == "good"
    assert found.load("own") is found.load("own")


def test_a_distribution_adds_an_entry_after_the_tables(install: Install) -> None:
    install("zeta", GOOD, b="zeta_code:Thing")
    install("alpha", GOOD, c="alpha_code:Thing", a="alpha_code:Thing")
    found = things(z="zeta_code.Thing")
    assert found.names() == list(found) == ["z", "a", "b", "c"]
    assert "b" in found
    assert "d" not in found
    assert list(found.loaded()) == ["z", "a", "b", "c"]
    assert found.problems() == []


def test_an_unknown_name_is_refused_with_those_that_exist(install: Install) -> None:
    install("alpha", GOOD, a="alpha_code:Thing")
    with pytest.raises(UnknownEntry, match="^there is no thing 'x'; there are: z, a$"):
        things(z="alpha_code.Thing").load("x")


def test_a_name_offered_by_two_distributions_is_not_used(install: Install) -> None:
    install("alpha", GOOD, a="alpha_code:Thing", b="alpha_code:Thing")
    install("beta", GOOD, a="beta_code:Thing")
    found = things()
    assert found.names() == ["b"]
    words = r"thing 'a' is offered by alpha \(alpha_code:Thing\) and beta \(beta_code:Thing\)"
    with pytest.raises(DuplicateEntry, match=words):
        found.load("a")
    assert len(found.problems()) == 1


def test_a_distribution_cannot_take_over_a_name_of_the_table(install: Install) -> None:
    install("own", GOOD)
    install("thief", "class Thing:\n    label = 'stolen'\n", own="thief_code:Thing")
    found = things(own="own_code.Thing")
    assert found.load("own").label == "good"
    assert found.problems() == [
        "thing 'own' is built in, so the one of thief (thief_code:Thing) is not used: rename it"
    ]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("class Other: ...", "AttributeError: module 'bad_code' has no attribute 'Thing'"),
        ("class Thing: ...", "it has no label"),
    ],
)
def test_a_broken_entry_is_named_and_stops_no_other(
    install: Install, caplog: pytest.LogCaptureFixture, code: str, reason: str
) -> None:
    install("bad", code, a="bad_code:Thing")
    install("good", GOOD, b="good_code:Thing")
    found = things()
    assert list(found.loaded()) == list(found.loaded()) == ["b"]
    expected = f"thing 'a' (bad_code:Thing) cannot be loaded: {reason}"
    assert found.problems() == [expected]
    assert [each.message for each in caplog.records] == [expected]
    with pytest.raises(BrokenEntry, match="cannot be loaded"):
        found.load("a")


def modules_after(statement: str) -> set[str]:
    program = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


def test_it_needs_the_standard_library_alone() -> None:
    added = modules_after("import inference.base.registry") - modules_after("pass")
    assert added - sys.stdlib_module_names == {"inference"}
