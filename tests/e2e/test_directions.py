"""Hebrew and Arabic: each block takes its own direction, code and names of files run from left to right."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.e2e.browsing import Windows
from tests.e2e.chat import Chat
from tests.e2e.links import close_dialog, share

ANSWER = """echo:`run.sh` הנה דוגמה קצרה:

```python
return x[0] - 1  # ok!
```

English paragraph ends here (v2.0).

> ציטוט

1. פריט
2. English item

| שם | b |
|---|---|
| `a.py` | 5 |
"""
# Of each kind of block: its direction, where its words begin, and where its bar or mark stands.
LOOK = """(answer) => {
  const look = (selector) => [...answer.querySelectorAll(selector)].map((each) => getComputedStyle(each));
  return {
    directions: Object.fromEntries(["p", "pre", "code", "blockquote", "ol", "li", "table", "th", "td"]
      .map((name) => [name, look(name).map((each) => each.direction)])),
    bar: look("blockquote").map((each) => [each.borderLeftWidth, each.borderRightWidth]),
    room: look("ol").map((each) => [each.paddingLeft !== "0px", each.paddingRight !== "0px"]),
    marks: [...answer.querySelectorAll("ol > li")].map((each) => {
      const [item, list] = [each, each.parentNode].map((node) => node.getBoundingClientRect());
      const turned = getComputedStyle(each).direction === "rtl";
      return (turned ? list.right - item.right : item.left - list.left) > 15;
    }),
    sides: look(".table").map((each) => each.direction),
    first: look("tr > :first-child").map((each) => [each.paddingLeft !== "0px", each.paddingRight !== "0px"]),
  };
}"""


# On which side each line of a question begins.
SIDES = """(question) => {
  const words = question.querySelector(".words"), line = document.createRange();
  const box = words.getBoundingClientRect();
  const [first, second] = [[0, 10], [11, 14]].map(([from, to]) => {
    line.setStart(words.firstChild, from);
    line.setEnd(words.firstChild, to);
    return line.getBoundingClientRect();
  });
  return [first, second].map((each) => (each.left - box.left > 2 ? "right" : "left"));
}"""


def expect_directions(page: Page) -> None:
    seen = page.locator(".message.assistant .markdown").last.evaluate(LOOK)
    assert seen["directions"] == {
        "p": ["rtl", "ltr", "rtl"],
        "pre": ["ltr"],
        "code": ["ltr"] * 3,
        "blockquote": ["rtl"],
        "ol": ["rtl"],
        "li": ["rtl", "ltr"],
        "table": ["rtl"],
        "th": ["rtl", "ltr"],
        "td": ["rtl", "rtl"],
    }
    assert seen["bar"] == [["0px", "3px"]]
    assert seen["room"] == [[False, True]]
    assert seen["marks"] == [True, True]
    assert seen["sides"] == ["rtl"]
    assert seen["first"] == [[True, False]] * 2


def test_each_block_takes_its_own_direction_in_chat_shared_and_print(chat: Chat, windows: Windows) -> None:
    chat.ask(ANSWER).wait_for_end()
    expect_directions(chat.page)
    address = share(chat)
    close_dialog(chat.page)
    expect_directions(windows.page(None, address))
    chat.page.goto(f"{chat.page.url}print/" if chat.page.url.endswith("/") else f"{chat.page.url}/print/")
    expect_directions(chat.page)


def test_titles_and_lines_of_a_question_take_their_own_direction(chat: Chat) -> None:
    chat.ask("שלום לכולם\nand `./run.sh -v` then").wait_for_end()
    title = chat.page.locator("[data-title]")
    expect(title).to_have_text("שלום לכולם")
    assert title.evaluate("(title) => getComputedStyle(title).direction") == "rtl"
    entry = chat.sidebar.locator(".entry a").first
    assert entry.evaluate("(entry) => getComputedStyle(entry).direction") == "rtl"
    assert chat.questions.evaluate(SIDES) == ["right", "left"]
    expect(chat.questions.locator("code")).to_have_text("./run.sh -v")
    assert chat.questions.locator("code").evaluate("(code) => getComputedStyle(code).direction") == "ltr"


def test_code_in_a_question_is_code_and_nothing_else_is_markup(chat: Chat, windows: Windows) -> None:
    chat.ask("# no *title* `a *b*`\n```python\ndef f(): pass\n```\n**end** <b>").wait_for_end()
    address = share(chat)
    close_dialog(chat.page)
    for page in (chat.page, windows.page(None, address)):
        question = page.locator(".message.user .body")
        expect(question.locator("code").first).to_have_text("a *b*")
        expect(question.locator(".code pre")).to_have_text("def f(): pass")
        expect(question.locator(".hljs-keyword").first).to_have_text("def")
        expect(question).to_contain_text("# no *title* a *b*")
        expect(question).to_contain_text("**end** <b>")
        assert question.locator("strong, em, h1, h2").count() == 0
