"""docs/settings.md lists the variables that the code reads, with their defaults, limits and descriptions."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from inference.base import env
from inference.base.env import Variable

ROOT = Path(env.__file__).parents[2]
PAGE = (ROOT / "docs" / "settings.md").read_text()
ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]+)` \|.*$", re.MULTILINE)
READS = re.compile(r"\benv\.(?:text|integer|number|flag|choice|words)\(")
# Defaults that depend on where the code or the data lie, as the page shows them.
PLACES = {
    "DATABASE_URL": "the SQLite file in GROKWEB_DATA",
    "GROKWEB_DATA": "data",
    "GROKWEB_MODEL": "inference/demo/model",
    "GROKWEB_STATIC": "build/static",
    "GROKWEB_URLS": "http://localhost:8000,http://127.0.0.1:8000",
}


def known() -> dict[str, Variable]:
    """Returns all variables, after importing every module that reads one."""
    for package in ("grokweb", "inference", "chat"):
        for path in (ROOT / package).rglob("*.py"):
            if path.name != "env.py" and READS.search(path.read_text()):
                importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return env.KNOWN


def row(variable: Variable) -> str:
    default = PLACES.get(variable.name, variable.default) or "empty"
    return f"| `{variable.name}` | {default} | {variable.limits} | {variable.about} |"


def test_the_page_lists_every_variable_once() -> None:
    documented = ROW.findall(PAGE)
    assert len(documented) == len(set(documented))
    assert set(documented) == set(known())


def test_every_row_has_the_default_the_limits_and_the_description_of_the_code() -> None:
    documented = {match[1]: match[0] for match in ROW.finditer(PAGE)}
    assert documented == {name: row(variable) for name, variable in known().items()}


def test_every_description_is_a_sentence() -> None:
    for variable in known().values():
        assert variable.about.endswith("."), variable.name
