"""Runs axe-core (package.json) on a page and returns its findings against WCAG 2.2 AA."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from playwright.sync_api import Page

from tests.e2e.browsing import MOVEMENTS_END
from tests.grokweb.service import ROOT

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {
        "heading-order": {"enabled": False},  # a model begins its answer with the heading it likes
        "region": {"enabled": False},  # menus and dialogs lie above the page, in no part of it
    },
    "resultTypes": ["violations"],
    "preload": False,  # it would copy imported style sheets into the page, which the CSP forbids
}
RUN = """async ([rules, excluded]) => {
  const { violations } = await axe.run({ exclude: excluded.map((each) => [each]) }, rules);
  const told = ({ html, failureSummary }) => `${html.slice(0, 300)}\\n${failureSummary}`;
  return violations.map(({ id, nodes }) => [id, ...nodes.map(told)].join("\\n"));
}"""


@cache
def _source() -> str:
    return (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()


def findings(page: Page, excluded: Sequence[str] = ()) -> list[str]:
    """Returns the findings on a page; parts that Django draws, selected by `excluded`, are left out."""
    page.wait_for_load_state()
    page.evaluate(MOVEMENTS_END)
    page.evaluate(_source())  # evaluated by the debugger, which the page's CSP does not bind
    return list(page.evaluate(RUN, [RULES, list(excluded)]))


def check(page: Page, what: str) -> None:
    found = findings(page)
    assert not found, f"{what}:\n" + "\n".join(found)
