"""Reading an answer: it grows without flicker, is copied, read aloud."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.e2e.browsing import Windows, until
from tests.e2e.chat import Chat
from tests.e2e.people import Person
from tests.e2e.shots import ANSWER

# The same text once whole and once in pieces of `size`, painted as the page paints it.
GROWN = r"""async ({ text, size }) => {
  const { MarkdownView } = await import("grokweb/view/markdown_view.js");
  const make = () => {
    const box = Object.assign(document.createElement("div"), { className: "markdown" });
    return document.body.appendChild(box);
  };
  const settled = async (box) => {
    for (let i = 0; i < 500 && box.querySelector("code.math, pre code:not(:has(span))"); i += 1)
      await new Promise((go) => setTimeout(go, 10));
    const html = box.innerHTML;
    box.remove();
    return html;
  };
  const one = make(), two = make();
  new MarkdownView(one).finish(text);
  const grown = new MarkdownView(two);
  for (let at = 0; at < text.length; at += size) grown.grow(text.slice(0, at));
  grown.finish(text);
  return [await settled(one), await settled(two)];
}"""
SELECT = "(p) => getSelection().setBaseAndExtent(p.firstChild, 0, p.firstChild, 11)"
CARET = """() => {
  const at = document.querySelector(".markdown .caret");
  return at && getComputedStyle(at, "::after").animationName;
}"""
# A silent speech synthesiser that finishes at once; headless browsers have none. `spoken` has the texts.
VOICE = """
window.spoken = [];
window.holds = false;
Object.defineProperty(window, "speechSynthesis", { value: {
  speak(said) {
    window.spoken.push(said.text);
    window.tongue = said.lang;
    if (!window.holds) setTimeout(() => said.onend?.());
  },
  cancel() { window.cancelled = true; },
}});
"""
# The source modules, which pages have in a bundle.
MODULES = """<!doctype html><title>modules</title><script src="/jsi18n/"></script>
<script type="importmap">{"imports": {"grokweb/": "/static/js/", "vendor/": "/static/vendor/"}}</script>"""


def test_an_answer_streamed_in_any_pieces_is_whole(windows: Windows, person: Person) -> None:
    text = ANSWER.removeprefix("echo:")
    page = windows.page(person)
    page.route("**/modules/", lambda route: route.fulfill(content_type="text/html", body=MODULES))
    page.goto("/modules/")
    for size in (1, 3, 17, 400):
        whole, grown = page.evaluate(GROWN, {"text": text, "size": size})
        assert grown == whole, f"in pieces of {size}"
        assert whole.count("<math") == 2
        assert "hljs-" in whole


def test_an_answer_that_grows_keeps_what_is_selected(chat: Chat) -> None:
    chat.ask("slow:200:30").wait_for_words(8)
    chat.answer.locator("p").evaluate(SELECT)
    chat.wait_for_words(30)
    assert chat.page.evaluate("String(getSelection())") == "w1 w2 w3 w4"
    chat.page.keyboard.press("Escape")
    chat.wait_for_end()


def test_the_dot_pulses_only_while_the_page_waits_for_words(chat: Chat) -> None:
    """The dot moves only while no words come: words show by themselves that something happens."""
    chat.ask("pace:6000:one two three")
    until(chat.page, lambda: chat.page.evaluate(CARET) == "pulse", "it pulses")
    chat.stop()
    chat.wait_for_end()
    chat.ask("slow:400:30").wait_for_words(5)
    until(chat.page, lambda: chat.page.evaluate(CARET) == "none", "it stands still")
    chat.stop()


def test_scrolling_up_stops_following_and_the_end_resumes_it(chat: Chat) -> None:
    """One turn of the wheel or one key is enough."""
    chat.ask(f"pace:40:{'word ' * 700}")
    box = chat.page.locator("[data-scroll]")
    away = "(box) => box.scrollHeight - box.clientHeight - box.scrollTop"
    # Not what the box has: it is lower for a moment, while the empty chat becomes one with messages.
    until(chat.page, lambda: chat.answer.evaluate("(node) => node.offsetHeight > innerHeight"), "a full page")
    box.hover()
    ways: tuple[tuple[Callable[[], None], Callable[[], None]], ...] = (
        (lambda: chat.page.mouse.wheel(0, -30), lambda: chat.page.mouse.wheel(0, 20_000)),
        (lambda: box.press("ArrowUp"), lambda: box.press("End")),
    )
    for leave, come in ways:
        until(chat.page, lambda: box.evaluate(away) < 2, "the newest words are in sight")
        leave()
        until(chat.page, lambda: box.evaluate(away) > 80, "the page goes on below")
        expect(chat.page.locator("[data-jump]")).to_be_visible()
        come()
        until(chat.page, lambda: box.evaluate(away) < 2, "it follows again")
        expect(chat.page.locator("[data-jump]")).to_be_hidden()
    chat.page.keyboard.press("Escape")
    chat.wait_for_end()


def pasted(chat: Chat) -> str:
    chat.box.fill("")
    chat.box.press("ControlOrMeta+v")
    return chat.box.input_value()


def test_five_actions_and_the_rest_behind_more(chat: Chat) -> None:
    chat.ask("echo:**Bold** words and `code`.").wait_for_end()
    buttons = chat.answers.last.locator(".tools button")
    assert buttons.all_inner_texts() == ["Copy", "Ask again", "Good answer", "Poor answer", "More"]
    chat.answers.last.get_by_role("button", name="Copy", exact=True).click()
    chat.box.press("ControlOrMeta+v")
    expect(chat.box).to_have_value("**Bold** words and `code`.")
    chat.box.fill("")
    chat.more("Copy as text")
    # The clipboard is written a moment after the menu has closed.
    until(chat.page, lambda: pasted(chat) == "Bold words and code.", "the text without its marks is copied")
    more = chat.answers.last.get_by_role("button", name="More")
    more.press("Enter")
    expect(chat.page.get_by_role("menuitem").first).to_be_focused()
    chat.page.keyboard.press("Escape")
    expect(chat.page.get_by_role("menu")).to_have_count(0)
    expect(more).to_be_focused()


def agree(chat: Chat) -> None:
    chat.page.get_by_role("dialog").get_by_role("button", name="Continue").click()


def test_read_aloud_a_sentence_at_a_time_until_stopped(windows: Windows, person: Person) -> None:
    context = windows.window(person)
    context.add_init_script(VOICE)
    page = context.new_page()
    page.goto("/")
    chat = Chat(page)
    chat.ask("echo:First one. Second *one*.\n\n```\ncode\n```").wait_for_end()
    chat.more("Read aloud")
    agree(chat)
    said = ["First one.", "Second one.", "Here is a block of code."]
    until(page, lambda: page.evaluate("spoken") == said, "every sentence")
    page.evaluate("holds = true; spoken.length = 0; cancelled = false")
    chat.more("Read aloud")
    until(page, lambda: page.evaluate("spoken") == said[:1], "the first sentence")
    chat.more("Stop reading")
    assert page.evaluate("cancelled")
    assert page.evaluate("spoken") == said[:1]


def test_the_first_reading_aloud_asks_for_consent(windows: Windows, person: Person) -> None:
    context = windows.window(person)
    context.add_init_script(VOICE)
    page = context.new_page()
    page.goto("/")
    chat = Chat(page)
    chat.ask("echo:Le pain est fait de farine et d’eau.").wait_for_end()
    chat.more("Read aloud")
    dialog = page.get_by_role("dialog", name="Reading aloud by your browser")
    expect(dialog).to_contain_text("send the text of the answer to the browser's maker")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)
    assert page.evaluate("spoken") == []
    chat.more("Read aloud")
    agree(chat)
    until(page, lambda: page.evaluate("spoken.length") == 1, "it is read")
    assert page.evaluate("tongue") == "fr"  # the answer's, not the page's
    page.reload()
    chat.more("Read aloud")
    until(page, lambda: page.evaluate("spoken.length") == 1, "it is read without another question")


# A microphone that hears two words.
MICROPHONE = """
window.listening = 0;
window.webkitSpeechRecognition = class {
  start() {
    window.listening += 1;
    const result = Object.assign([{ transcript: "two words" }], { isFinal: true });
    setTimeout(() => this.onresult({ resultIndex: 0, results: [result] }));
  }
  stop() {}
};
delete window.SpeechRecognition;
"""


def test_the_first_dictation_asks_for_consent(windows: Windows, person: Person) -> None:
    context = windows.window(person)
    context.add_init_script(MICROPHONE)
    page = context.new_page()
    page.goto("/")
    chat = Chat(page)
    button = page.locator("[data-dictate]")
    button.click()
    dialog = page.get_by_role("dialog", name="Dictation by your browser")
    expect(dialog).to_contain_text("send what you say to their maker")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert page.evaluate("listening") == 0
    button.click()
    agree(chat)
    expect(chat.box).to_have_value("two words")
    button.click()  # stops
    button.click()
    until(page, lambda: page.evaluate("listening") == 2, "it listens without another question")
