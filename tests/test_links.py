"""Links and paths in the documentation lead somewhere: files, folders and headings that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)|\b(?:src|srcset)=\"([^\"]+)\"")
# A path of the repository in backticks; `*`, `<…>` and `{…}` stand for several.
PATH = re.compile(r"`((?:grokweb|chat|inference|static|templates|locale|tests|docs)/[\w./-]+)`")


def anchors(page: Path) -> set[str]:
    """Returns the ids that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link, source in LINK.findall(page.read_text()):
        target, _, anchor = (link or source).partition("#")
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name}: {link or source}"
        if anchor:
            assert anchor in anchors(file), f"{page.name}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_of_the_repository_exist(page: Path) -> None:
    missing = {path for path in PATH.findall(page.read_text()) if not (ROOT / path).exists()}
    assert missing == set()
