"""Drives the chat page as a person does: reads what it shows, and uses its controls."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.e2e.browsing import PATIENCE, until

# Every change of the newest answer, as this page showed it, and when; a new page begins a new list.
SAMPLE = """
(() => {
  const life = `${Math.random()}`;
  let last = null;
  const sample = () => {
    const text = [...document.querySelectorAll(".message.assistant .body")].at(-1)?.textContent ?? "";
    if (text !== last) window.sampled(life, last = text, Date.now());
    setTimeout(watch, 50);
  };
  // After a frame was painted: what a page changes before the next one is not what a person sees.
  const watch = () => requestAnimationFrame(() => setTimeout(sample));
  watch();
})()
"""

# A request as the page's modules make it.
REQUEST = """async ([method, path]) => {
  const headers = { "X-CSRFToken": /grokweb_csrf=([^;]+)/.exec(document.cookie)[1] };
  if (method !== "GET") headers["Content-Type"] = "application/json";
  const answer = await fetch(path, { method, headers, body: method === "GET" ? undefined : "{}" });
  return answer.json();
}"""

# Where Enter begins a line and the button sends.
ON_PHONE = "matchMedia('(hover: none) and (pointer: coarse)').matches"


def words(count: int) -> str:
    """Returns the answer to `slow:<count>`."""
    return " ".join(f"w{number}" for number in range(1, count + 1))


class Chat:
    """One page (tab) of the chat."""

    def __init__(self, page: Page) -> None:
        page.wait_for_load_state()  # its modules run
        self.page = page
        self.box = page.get_by_label(re.compile("^(Your message|Votre message)$"))
        self.send = page.locator(".composer .send")
        self.answers = page.locator(".message.assistant")
        self.questions = page.locator(".message.user .body")
        self.sidebar = page.locator("[data-conversations]")
        self.notice = page.locator("[data-notices]")

    # --- doing --------------------------------------------------------------------------------------------

    def ask(self, text: str) -> Chat:
        self.box.fill(text)
        if self.page.evaluate(ON_PHONE):
            self.send.click()
        else:
            self.box.press("Enter")
        return self

    def new(self) -> Chat:
        self.page.locator(".new-chat").click()
        return self

    def stop(self) -> None:
        self.page.get_by_role("button", name="Stop", exact=True).click()

    def menu_of(self, title: str) -> Locator:
        """Opens the menu of a conversation in the sidebar."""
        entry = self.entry(title)
        entry.hover()
        entry.get_by_role("button").click()
        return self.page.get_by_role("menu")

    def more(self, action: str) -> None:
        """Chooses an entry of the newest answer's "More" menu."""
        self.answers.last.get_by_role("button", name="More").click()
        self.page.get_by_role("menuitem", name=action, exact=True).click()

    def open_account_menu(self) -> Locator:
        self.page.locator(".account-button").click()
        menu = self.page.locator("#account-menu")
        expect(menu).to_be_visible()
        return menu

    def request(self, method: str, path: str) -> Any:
        """Makes a request of this person that no control of the page makes; returns its JSON."""
        return self.page.evaluate(REQUEST, [method, path])

    def summarise(self) -> None:
        """Has the conversation summarised up to its first answer."""
        messages = self.request("GET", f"/api/conversations/{self.conversation}/messages/")["messages"]
        self.request("POST", f"/api/messages/{messages[1]['id']}/summary/")

    # --- seeing -------------------------------------------------------------------------------------------

    def entry(self, title: str) -> Locator:
        link = self.page.get_by_role("link", name=title, exact=True)
        return self.sidebar.locator(".entry").filter(has=link)

    @property
    def answer(self) -> Locator:
        """Returns the text of the newest answer."""
        return self.answers.last.locator(".body")

    def text(self) -> str:
        return self.answer.inner_text() if self.answers.count() else ""

    def stored(self) -> str:
        """Returns the text of the newest answer as the server has stored it."""
        told = self.page.request.get(f"/api/conversations/{self.conversation}/messages/").json()
        return str(told["messages"][-1]["text"])

    @property
    def conversation(self) -> str:
        """Returns the id of the open conversation."""
        return self.page.url.rstrip("/").rsplit("/", 1)[-1]

    def wait_for_words(self, count: int) -> Chat:
        """Waits until at least `count` words of a slow answer are there, and checks their order."""
        until(self.page, lambda: len(self.text().split()) >= count, f"{count} words")
        shown = self.text().split()
        assert shown == words(len(shown)).split()
        return self

    def wait_for_end(self) -> Chat:
        """Waits until the newest answer is settled: it has its buttons, or says why it is not whole."""
        expect(self.answers.last).to_have_attribute("aria-busy", "false", timeout=PATIENCE * 1000)
        return self

    def wait_for_whole(self, count: int) -> Chat:
        expect(self.answer).to_have_text(words(count), timeout=PATIENCE * 1000)
        return self.wait_for_end()

    def expect_stored(self) -> None:
        """Waits until the newest answer on the page equals the stored one."""
        until(self.page, lambda: self.text() == self.stored(), "stored as shown")

    def now(self) -> float:
        """Returns milliseconds since 1970 by the page's clock."""
        return float(self.page.evaluate("Date.now()"))

    def expect_notice(self, text: str | re.Pattern[str]) -> None:
        expect(self.notice).to_contain_text(text, timeout=PATIENCE * 1000)


@dataclass(frozen=True, slots=True)
class Sample:
    text: str
    at: float  # milliseconds since 1970

    @property
    def count(self) -> int:
        return len(self.text.split())


class Samples:
    """Samples of a slow answer as tabs showed it, every 50 ms, over reloads and lost connections."""

    def __init__(self) -> None:
        self.lives: dict[str, list[Sample]] = {}

    def of(self, chat: Chat) -> Samples:
        chat.page.context.expose_binding(
            "sampled", lambda _, life, text, at: self.lives.setdefault(life, []).append(Sample(text, at))
        )
        chat.page.context.add_init_script(SAMPLE)
        chat.page.evaluate(SAMPLE)
        return self

    def check(self, count: int) -> None:
        """Checks that no page ever showed a hole, a repetition or fewer words than before."""
        for shown in self.lives.values():
            lengths = [each.count for each in shown]
            assert lengths == sorted(lengths), f"words went away: {lengths}"
            for each in shown:
                assert each.text.split() == words(each.count).split(), f"not in order: {each.text}"
        # Begun and whole at least: all between may come in one piece, if the server was away for long.
        assert self.seen() > 1, "nothing was sampled"
        assert max(each.count for shown in self.lives.values() for each in shown) <= count

    def seen(self) -> int:
        return sum(map(len, self.lives.values()))

    def words_after(self, moment: float) -> float:
        """Returns the milliseconds from a moment until a page showed more words than before it."""
        for shown in self.lives.values():
            before = max((each.count for each in shown if each.at <= moment), default=0)
            for each in shown:
                if each.at > moment and each.count > before:
                    return each.at - moment
        raise AssertionError("no more words came")
