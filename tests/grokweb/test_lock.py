"""requirements/*.txt against pyproject.toml: nothing that pip installs is unpinned or without a hash."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from grokweb import lock

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
GROUPS: dict[str, list[str]] = {"run": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}


def locked(*groups: str) -> dict[str, list[Requirement]]:
    """Returns the pinned requirements by name; several if they differ by Python version."""
    found: dict[str, list[Requirement]] = {}
    for group in groups:
        for entry in lock.entries((lock.FOLDER / f"{group}.txt").read_text()):
            requirement = Requirement(entry.partition(" \\\n")[0])
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def version_here(requirements: list[Requirement]) -> str | None:
    versions = [next(iter(each.specifier)).version for each in requirements if applies(each)]
    assert len(versions) <= 1
    return versions[0] if versions else None


def applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate()


def needs_of(name: str, extras: set[str]) -> Iterator[Requirement]:
    """Returns the requirements of an installed package on this machine."""
    for text in metadata.requires(name) or []:
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            requirement.marker = None
            yield requirement


def test_the_groups_are_those_of_the_project() -> None:
    assert {path.stem for path in lock.FOLDER.glob("*.txt")} == set(GROUPS) == {"run", *lock.GROUPS}


@pytest.mark.parametrize("group", GROUPS)
def test_direct_dependencies_are_locked_in_their_range(group: str) -> None:
    pinned = locked("run", group) if group != "run" else locked("run")
    for text in GROUPS[group]:
        requirement = Requirement(text)
        if requirement.name == "torch":
            assert re.fullmatch(r"torch==[\d.]+", text)
            continue
        versions = [
            next(iter(each.specifier)).version for each in pinned[canonicalize_name(requirement.name)]
        ]
        assert all(map(requirement.specifier.contains, versions)), text


@pytest.mark.parametrize("group", GROUPS)
def test_every_entry_has_its_hashes_and_no_address(group: str) -> None:
    text = (lock.FOLDER / f"{group}.txt").read_text()
    assert "//" not in text
    for entry in lock.entries(text):
        first, *hashes = entry.rstrip().split(" \\\n")
        assert re.fullmatch(r"[a-z0-9-]+==[^ ]+( ; .+)?", first)
        assert hashes
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", each) for each in hashes)


def test_dependencies_of_locked_packages_are_locked() -> None:
    """pip installs with --no-deps, so that nothing else comes along: nothing may be missing."""
    pinned = locked("run", "test")
    reached: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(text) for text in (*GROUPS["run"], *GROUPS["test"])]
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in reached or not applies(requirement):
            continue
        reached.add((name, extras))
        if name != "torch":
            assert version_here(pinned.get(name, [])), f"{name} is not locked"
            waiting += needs_of(name, set(extras))
    unneeded = set(pinned) - {name for name, _ in reached}
    assert all(version_here(pinned[name]) is None or name in needs_of_torch() for name in unneeded), unneeded


def needs_of_torch() -> set[str]:
    """torch's own needs are locked, those of its builds for graphics cards are not."""
    return {"filelock", "typing-extensions", "setuptools", "sympy", "mpmath", "networkx", "jinja2", "fsspec"}


def test_installed_is_what_is_locked() -> None:
    for name, requirements in locked("run", "test").items():
        version = version_here(requirements)
        if version is not None:
            assert metadata.version(name) == version, f"{name}: `make install` brings what is locked"


def imported_at_start(path: Path) -> set[str]:
    """Returns the top-level packages that a module imports when it is loaded, not inside its functions."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


# Nothing of the service imports these; whoever passes them to a library has installed what it needs.
ADAPTERS = {"inference/outbound/requests_adapter.py": {"requests"}}


@pytest.mark.parametrize("layer", ["grokweb", "chat", "inference"])
def test_modules_import_only_packages_that_the_service_installs(layer: str) -> None:
    run = {*locked("run"), "torch"}
    distributions = metadata.packages_distributions()
    ours = {"grokweb", "chat", "inference", *sys.stdlib_module_names}
    for path in sorted((ROOT / layer).rglob("*.py")):
        adapted = ADAPTERS.get(path.relative_to(ROOT).as_posix(), set())
        for package in imported_at_start(path) - ours - adapted:
            sources = {canonicalize_name(name) for name in distributions.get(package, [])}
            assert sources & run, f"{path.relative_to(ROOT)} imports {package}"


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("sys_platform != 'win32'", "one==1"),
        ("sys_platform == 'win32'", None),
        ("python_full_version < '3.12'", "one==1 ; python_full_version < '3.12'"),
        ("platform_machine == 'aarch64'", "one==1 ; platform_machine == 'aarch64'"),
    ],
)
def test_only_conditions_that_decide_stay(condition: str, kept: str | None) -> None:
    assert Marker(condition)
    entry = f"one==1 ; {condition} \\\n    --hash=sha256:0\n"
    assert lock.simplified(entry) == (f"{kept} \\\n    --hash=sha256:0\n" if kept else "")
