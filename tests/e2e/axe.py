"""Runs axe-core (package.json) on a page, light and dark, and returns its findings against WCAG 2.2 AA."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

from playwright.sync_api import Page

from tests.e2e.browsing import MOVEMENTS_END
from tests.grokweb.service import ROOT

Scheme = Literal["dark", "light"]
RULES: dict[str, Any] = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {
        "heading-order": {"enabled": False},  # a model begins its answer with the heading it likes
        "region": {"enabled": False},  # menus and dialogs lie above the page, in no part of it
    },
    "resultTypes": ["violations"],
    "preload": False,  # it would copy imported style sheets into the page, which the CSP forbids
}
# What the other one of light and dark can change.
COLOURS = {
    **RULES,
    "runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]},
    "rules": {},
}
IS_DARK = "matchMedia('(prefers-color-scheme: dark)').matches"
# Colours must not be measured while they change: a busy browser begins a transition late.
# A constructed sheet is not an inline style, which the page's CSP would refuse.
WITHOUT_TRANSITIONS = """() => {
  if (window.withoutTransitions) return;
  window.withoutTransitions = new CSSStyleSheet();
  window.withoutTransitions.replaceSync("*, ::before, ::after { transition: none !important; }");
  document.adoptedStyleSheets.push(window.withoutTransitions);
}"""
NEXT_FRAME = "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
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
    page.evaluate(_source())  # evaluated by the debugger, which the page's CSP does not bind
    page.evaluate(WITHOUT_TRANSITIONS)
    first: Scheme = "dark" if page.evaluate(IS_DARK) else "light"
    second: Scheme = "light" if first == "dark" else "dark"
    found = _run(page, RULES, excluded)
    page.emulate_media(color_scheme=second)
    found += [f"{second}: {each}" for each in _run(page, COLOURS, excluded)]
    page.emulate_media(color_scheme=first)
    return found


def _run(page: Page, rules: dict[str, Any], excluded: Sequence[str]) -> list[str]:
    page.evaluate(NEXT_FRAME)
    page.evaluate(MOVEMENTS_END)
    return list(page.evaluate(RUN, [rules, list(excluded)]))


def check(page: Page, what: str) -> None:
    found = findings(page)
    assert not found, f"{what}:\n" + "\n".join(found)
