"""Formulas are set in a font for mathematics, with aligned signs and columns."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.browsing import Windows, until
from tests.e2e.chat import Chat
from tests.e2e.people import Person

FONT = "stix-two-math."
LOADED = """() => [...document.fonts].filter((face) => face.status === "loaded").map((face) => face.family)"""
EDGES = """(nodes) => nodes.map((node) => {
  const { left, right, top, height } = node.getBoundingClientRect();
  return { left: Math.round(left), right: Math.round(right), top, height };
})"""
LINES = """(cells) => cells.map((each) => {
  const { borderRightStyle, borderBottomStyle } = getComputedStyle(each);
  return [borderRightStyle, borderBottomStyle];
})"""
ALIGNED = r"$$\begin{aligned} a+b+c &= d \\ x &= \sqrt{y+z} \\ \alpha^2 &\le 70 \end{aligned}$$"


def edges(nodes: Locator) -> list[dict[str, float]]:
    return list(nodes.evaluate_all(EDGES))


def answer(chat: Chat, text: str) -> Locator:
    chat.ask(f"echo:{text}").wait_for_end()
    formula = chat.answer.locator("math").first
    expect(formula).to_be_visible()
    until(chat.page, lambda: "GrokWeb Math" in str(chat.page.evaluate(LOADED)), "the font of formulas")
    return formula


def test_the_font_comes_with_the_first_formula(windows: Windows, person: Person) -> None:
    chat = Chat(windows.page(person))

    def fetched() -> list[str]:
        return [url for url in windows.witness.requests if FONT in url]

    chat.ask("echo:no formula").wait_for_end()
    assert fetched() == []
    formula = answer(chat, r"Then $\sqrt{2}$ and $\frac12$.")
    assert len(fetched()) == 1
    assert "GrokWeb Math" in formula.evaluate("(node) => getComputedStyle(node).fontFamily")


def test_roots_and_brackets_grow_with_what_they_hold(chat: Chat) -> None:
    formula = answer(
        chat, r"$$\left(\frac{\frac{a}{b}}{\frac{c}{d}}\right) + \sqrt{\frac{\frac{a}{b}}{\frac{c}{d}}}$$"
    )
    [fraction, *_] = edges(formula.locator("mfrac"))
    for grown in edges(formula.locator("mo[fence=true], msqrt")):
        assert grown["height"] >= fraction["height"]


def test_signs_of_aligned_lines_stand_below_each_other(chat: Chat) -> None:
    formula = answer(chat, ALIGNED)
    signs = edges(formula.locator("mtd:nth-child(2) > mstyle > mrow > mo:nth-child(2)"))
    assert len(signs) == 3
    assert len({each["left"] for each in signs}) == 1
    ends = edges(formula.locator("mtd:first-child > mstyle > :last-child"))
    assert len(ends) == 3
    for end, sign in zip(ends, signs, strict=True):
        assert 0 <= sign["left"] - end["right"] <= 12  # the gap of a relation, none of a table


def test_columns_take_the_side_that_the_source_says(chat: Chat) -> None:
    formula = answer(chat, r"$$\begin{array}{l|r} 1 & 1 \\ \hline 1000000 & 1000000 \end{array}$$")
    one, other = (edges(formula.locator(f"mtd:nth-child({place}) mn")) for place in (1, 2))
    assert one[0]["left"] == one[1]["left"]
    assert other[0]["right"] == other[1]["right"]
    styles = formula.locator("mtd").evaluate_all(LINES)
    assert styles == [["solid", "solid"], ["none", "solid"], ["solid", "none"], ["none", "none"]]


def test_numbered_rows_keep_their_columns(chat: Chat) -> None:
    formula = answer(chat, r"$$\begin{align} a &= b \tag{1} \\ ccc + d &= e \notag \end{align}$$")
    assert len({each["left"] for each in edges(formula.locator("mo", has_text="="))}) == 1


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (r"\mathbb{R}^n", "ℝn"),
        (r"\mathbb{A1}", "𝔸𝟙"),
        (r"\mathcal{LO}", "ℒ𝒪"),
        (r"\mathfrak{gC}", "𝔤ℭ"),
        (r"\mathbf{x\alpha}", "𝐱𝛂"),
        (r"\mathrm{d}x", "dx"),
    ],
)
def test_letters_are_of_their_alphabet(chat: Chat, source: str, shown: str) -> None:
    formula = answer(chat, f"${source}$")
    expect(formula).to_have_text(shown)


def test_a_boxed_formula_has_its_frame(chat: Chat) -> None:
    formula = answer(chat, r"$\boxed{E = mc^2}$")
    assert formula.locator("menclose").evaluate("(box) => getComputedStyle(box).borderTopStyle") == "solid"


def test_the_printed_page_renders_formulas_alike(chat: Chat) -> None:
    answer(chat, ALIGNED)
    page = chat.page
    page.goto(f"{page.url}print/")
    expect(page.locator("math")).to_be_visible()
    until(page, lambda: "GrokWeb Math" in str(page.evaluate(LOADED)), "the font of formulas")
    signs = edges(page.locator("mtd:nth-child(2) > mstyle > mrow > mo:nth-child(2)"))
    assert len({each["left"] for each in signs}) == 1
