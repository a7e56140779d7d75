"""The table in README.md and the variables that the code reads are the same, both ways."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from grokweb import env

ROOT = Path(env.__file__).parent.parent
ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]+)` \|", re.MULTILINE)
READS = re.compile(r"\benv\.(?:text|integer|number|flag|words)\(")


def known() -> set[str]:
    """Every module that reads a variable is loaded first."""
    for package in ("grokweb", "inference", "chat"):
        for path in (ROOT / package).rglob("*.py"):
            if path.name != "env.py" and READS.search(path.read_text()):
                importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return set(env.KNOWN)


def test_readme_lists_exactly_the_known_variables() -> None:
    documented = ROW.findall((ROOT / "README.md").read_text())
    assert len(documented) == len(set(documented))
    assert set(documented) == known()


def test_every_variable_says_what_it_is() -> None:
    known()
    for variable in env.KNOWN.values():
        assert variable.about.strip(), variable.name
